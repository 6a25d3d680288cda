//! The company of the demo: its people, machines, secrets and habits. All of it is made up.

/// When somebody is at work, in hours of UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    Early,
    Day,
    Late,
    Night,
}

impl Shift {
    pub fn hours(self) -> std::ops::Range<u32> {
        match self {
            Self::Early => 5..13,
            Self::Day => 7..17,
            Self::Late => 12..21,
            Self::Night => 20..29,
        }
    }
}

#[derive(Clone, Copy)]
pub struct Person {
    pub login: &'static str,
    pub name: &'static str,
    pub team: Team,
    pub shift: Shift,
    /// The third part of the address they usually come from.
    pub desk: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Team {
    Platform,
    Database,
    Network,
    Finance,
    Support,
    Security,
}

pub const MAIL_DOMAIN: &str = "lindqvist-medical.example";

pub const PEOPLE: &[Person] = &[
    person("ada.moreau", "Ada Moreau", Team::Platform, Shift::Day, 11),
    person("b.okafor", "Bola Okafor", Team::Platform, Shift::Early, 12),
    person("c.lindqvist", "Carin Lindqvist", Team::Security, Shift::Day, 13),
    person("d.papadopoulos", "Δημήτρης Παπαδόπουλος", Team::Database, Shift::Day, 14),
    person("e.sorokina", "Елена Сорокина", Team::Database, Shift::Late, 15),
    person("f.haddad", "فاطمة حداد", Team::Network, Shift::Day, 16),
    person("g.tanaka", "田中 健", Team::Platform, Shift::Night, 17),
    person("h.wei", "韦 慧", Team::Database, Shift::Early, 18),
    person("i.ferreira", "Inês Ferreira", Team::Support, Shift::Late, 19),
    person("j.brandt", "Jonas Brandt", Team::Network, Shift::Night, 20),
    person("k.osei", "Kwame Osei", Team::Support, Shift::Day, 21),
    person("l.nowak", "Łucja Nowak", Team::Finance, Shift::Day, 22),
    person("m.dubois", "Marc Dubois", Team::Finance, Shift::Day, 23),
    person("n.cohen", "נועה כהן", Team::Security, Shift::Late, 24),
    person("o.virtanen", "Outi Virtanen", Team::Platform, Shift::Day, 25),
    person("p.silva", "Pedro Silva", Team::Support, Shift::Early, 26),
    person("q.nguyen", "Quỳnh Nguyễn", Team::Database, Shift::Day, 27),
    person("r.meyer", "Ruth Meyer", Team::Finance, Shift::Day, 28),
    person("s.ivanov", "Стоян Иванов", Team::Network, Shift::Late, 29),
    person("t.adeyemi", "Tunde Adeyemi", Team::Platform, Shift::Late, 30),
    person("u.keller", "Ursula Keller", Team::Support, Shift::Day, 31),
    person("v.rossi", "Valentina Rossi", Team::Security, Shift::Day, 32),
    person("w.jansen", "Wim Jansen", Team::Database, Shift::Night, 33),
    person("y.demir", "Yasemin Demir", Team::Network, Shift::Day, 34),
];

const fn person(login: &'static str, name: &'static str, team: Team, shift: Shift, desk: u8) -> Person {
    Person { login, name, team, shift, desk }
}

impl Person {
    pub fn mail(&self) -> String {
        format!("{}@{MAIL_DOMAIN}", self.login)
    }
}

/// The one whose account is taken over.
pub fn victim() -> &'static Person {
    PEOPLE.iter().find(|person| person.login == "m.dubois").unwrap_or(&PEOPLE[0])
}

pub const HOSTS: &[&str] = &[
    "web-1",
    "web-2",
    "web-3",
    "api-1",
    "api-2",
    "db-prod-1",
    "db-prod-2",
    "db-prod-3",
    "db-stage-1",
    "etl-1",
    "bastion-1",
    "bastion-2",
    "backup-1",
    "mail-1",
    "ldap-1",
    "lab-imaging-1",
    "lab-imaging-2",
    "erp-1",
    "k8s-node-1",
    "k8s-node-2",
];

/// Where secrets of a team lie in the vault.
pub fn secret_paths(team: Team) -> &'static [&'static str] {
    match team {
        Team::Platform => &[
            "secret/data/web/session-key",
            "secret/data/api/stripe",
            "secret/data/k8s/registry",
            "secret/data/ci/deploy-key",
        ],
        Team::Database => &[
            "secret/data/db/prod/postgres",
            "secret/data/db/prod/replica",
            "secret/data/db/stage/postgres",
            "secret/data/etl/warehouse",
        ],
        Team::Network => &["secret/data/net/core-switch", "secret/data/net/firewall", "secret/data/net/vpn-psk"],
        Team::Finance => &["secret/data/erp/service-account", "secret/data/bank/sftp"],
        Team::Support => &["secret/data/support/ticketing", "secret/data/mail/relay"],
        Team::Security => {
            &["secret/data/siem/api", "secret/data/pki/intermediate", "secret/data/breakglass/domain-admin"]
        }
    }
}

/// Shared records in the password manager: uid, title.
pub const RECORDS: &[(&str, &str)] = &[
    ("Xq3rT9mLk2PzVb8sWc1Dfg", "Domain admin (break glass)"),
    ("b7HnY2pQwE5uRt6oKj9Lmn", "Bank portal, payments"),
    ("K1zXc4vBn7mAs8dFg2HjkL", "Core switch, enable"),
    ("pO9iU8yT7rE6wQ5aS4dF3g", "ERP service account"),
    ("mN2bV3cX4zL5kJ6hG7fD8s", "Patient archive, root"),
    ("tY6uI7oP8aS9dF0gH1jK2l", "DNS registrar"),
    ("zA1qX2sW3cD4eV5fR6tG7b", "Imaging station, vendor"),
    ("yH8nU9jM0kI1oL2pQ3wE4r", "Wi-Fi controllers"),
];

pub const COMMANDS: &[&str] = &[
    "/usr/bin/systemctl restart nginx",
    "/usr/bin/journalctl -u postgresql -n 200",
    "/usr/bin/apt-get upgrade",
    "/usr/bin/less /var/log/auth.log",
    "/usr/sbin/ip route",
    "/usr/bin/docker ps",
    "/usr/bin/vim /etc/hosts",
    "/usr/bin/tcpdump -i eth0 port 53",
];
