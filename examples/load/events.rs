//! The events of the load: audit events as a product writes them, a little skewed, as life is.

use std::io::Write;

use anyhow::Result;

const SEED: u64 = 20_261_121;
const USERS: u32 = 5_000;
const DEVICES: u32 = 20_000;
/// The stretch of time the events are spread over.
const DAYS: u64 = 90;

const FIRST_NAMES: &[&str] = &[
    "ada", "bola", "carin", "dimitris", "elena", "fatima", "ken", "hui", "ines", "jonas", "kwame", "lucja", "marc",
    "noa", "outi", "pedro",
];
const LAST_NAMES: &[&str] = &[
    "moreau",
    "okafor",
    "lindqvist",
    "sorokina",
    "haddad",
    "tanaka",
    "wei",
    "ferreira",
    "brandt",
    "osei",
    "nowak",
    "dubois",
    "cohen",
    "virtanen",
];
const VERBS: &[&str] =
    &["viewed", "changed", "created", "deleted", "shared", "exported", "rotated", "checked out", "approved", "denied"];
const THINGS: &[&str] = &[
    "password",
    "secret",
    "certificate",
    "session",
    "policy",
    "role",
    "key",
    "group",
    "device",
    "request",
    "recording",
    "report",
    "token",
    "backup",
    "rule",
];

/// Makes the same events again and again, from a fixed seed.
pub struct Generator {
    random: fastrand::Rng,
    end: i64,
    actions: Vec<String>,
}

/// An event, by its columns.
pub struct Row {
    pub time: String,
    action: String,
    outcome: &'static str,
    severity: u8,
    pub user: String,
    email: String,
    pub address: String,
    pub port: u16,
    pub host: String,
    entity: String,
    pub entity_id: String,
    session: String,
    id: String,
    message: String,
}

impl Generator {
    /// Events up to `end`.
    pub fn new(end: jiff::Timestamp) -> Self {
        let actions = THINGS
            .iter()
            .flat_map(|thing| VERBS.iter().map(move |verb| format!("{thing}.{}", verb.replace(' ', "_"))))
            .collect();
        Self { random: fastrand::Rng::with_seed(SEED), end: end.as_millisecond(), actions }
    }

    /// A small number far more often than a large one, below `limit`.
    fn skewed(&mut self, limit: u32) -> u32 {
        let unit = self.random.f64();
        ((unit * unit * unit) * f64::from(limit)) as u32
    }

    fn hex(&mut self, digits: usize) -> String {
        let random = &mut self.random;
        (0..digits).map(|_| char::from(b"0123456789abcdef"[random.usize(..16)])).collect()
    }

    /// Event `index` of `total`: times go up, with a little disorder.
    pub fn row(&mut self, index: u64, total: u64) -> Row {
        let span = DAYS * 86_400_000;
        let back = span - span * index / total.max(1);
        let at = self.end - back as i64 - self.random.i64(0..2_000);
        let time = jiff::Timestamp::from_millisecond(at)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string();
        let count = u32::try_from(self.actions.len()).unwrap_or(1);
        let action = self.skewed(count) as usize;
        let action = self.actions[action].clone();
        let user = self.skewed(USERS) as usize;
        let (first, last) = (FIRST_NAMES[user % FIRST_NAMES.len()], LAST_NAMES[user / 7 % LAST_NAMES.len()]);
        let name = format!("{first}.{last}{user}");
        let device = self.skewed(DEVICES);
        let thing = THINGS[self.random.usize(..THINGS.len())];
        let outcome = if self.random.u32(..20) == 0 { "failure" } else { "success" };
        let entity = format!("{thing} {first} {}", self.random.u32(..40_000));
        Row {
            message: format!(
                "{name} {} {entity} on host-{device} after review of request {}",
                action.replace(['.', '_'], " "),
                self.random.u32(..100_000)
            ),
            time,
            outcome,
            severity: [10, 10, 10, 30, 30, 50, 73][self.random.usize(..7)],
            email: format!("{name}@example.com"),
            user: name,
            address: format!("10.{}.{}.{}", self.random.u8(..), self.random.u8(..), self.random.u8(1..255)),
            port: self.random.u16(1024..65_000),
            host: format!("host-{device}"),
            entity,
            entity_id: self.hex(16),
            session: format!("{}-{}", self.hex(8), self.hex(12)),
            id: self.hex(32),
            action,
        }
    }
}

impl Row {
    /// Writes it as a line of JSON.
    pub fn json(&self, line: &mut Vec<u8>) -> Result<()> {
        write!(
            line,
            concat!(
                r#"{{"@timestamp":"{}","event":{{"action":"{}","id":"{}","module":"bench","outcome":"{}","severity":{}}},"#,
                r#""user":{{"name":"{}","email":"{}","id":"u-{}"}},"source":{{"ip":"{}","port":{}}},"host":{{"name":"{}"}},"#,
                r#""entity":{{"type":"record","id":"{}","name":"{}"}},"session":{{"id":"{}","protocol":"ssh"}},"#,
                r#""product":{{"name":"payments"}},"user_agent":{{"original":"belfry-bench/1.0 (linux; x86_64)"}},"message":"{}"}}"#,
                "\n"
            ),
            self.time,
            self.action,
            self.id,
            self.outcome,
            self.severity,
            self.user,
            self.email,
            self.user,
            self.address,
            self.port,
            self.host,
            self.entity_id,
            self.entity,
            self.session,
            self.message
        )?;
        Ok(())
    }

    /// As SQL takes it, one text a column.
    pub fn columns(&self) -> [String; 14] {
        [
            self.time.clone(),
            self.action.clone(),
            self.id.clone(),
            self.outcome.to_owned(),
            self.severity.to_string(),
            self.user.clone(),
            self.email.clone(),
            self.address.clone(),
            self.port.to_string(),
            self.host.clone(),
            self.entity_id.clone(),
            self.entity.clone(),
            self.session.clone(),
            self.message.clone(),
        ]
    }
}
