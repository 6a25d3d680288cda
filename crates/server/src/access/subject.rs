//! Who asks. Every request, and everything the server does by itself, ends in one `Subject`.

use std::net::IpAddr;
use std::sync::Arc;

use api::access::{Person, Privilege, Role};
use event::Filter;
use event::filter::Test;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::Error;

/// A person or an application acting for one, with what it may do and see.
#[derive(Debug, Clone)]
pub struct Subject {
    pub person: Arc<Person>,
    pub by: By,
    privileges: Privileges,
    /// Where the request came from; `None` for the command line on the server itself.
    pub address: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
}

/// How the person showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Signed in; holds the id of the session.
    Session(Arc<str>),
    /// An API token; holds its id and name.
    Token { id: Arc<str>, name: Arc<str> },
    /// An enrolled device of an application.
    Device(Arc<Reach>),
}

/// An enrolled device, and what is shared with its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub device: Arc<str>,
    pub name: String,
    pub application: String,
    /// Where it may come from; empty: from anywhere.
    pub networks: Vec<IpNet>,
    /// Sources it may send to.
    pub send: Arc<[String]>,
    /// Sources whose events it may search.
    pub read: Vec<String>,
    /// Mappings it may read.
    pub mappings_read: Vec<String>,
    /// Mappings it may change.
    pub mappings_change: Vec<String>,
}

impl Reach {
    /// Whether it may come from there.
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| {
                let address = address.to_canonical();
                self.networks.iter().any(|network| network.contains(&address))
            })
    }
}

/// A set of privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Privileges(u32);

impl Privileges {
    pub fn of(privileges: &[Privilege]) -> Self {
        privileges.iter().fold(Self::default(), |set, privilege| Self(set.0 | 1 << (*privilege as u32)))
    }

    pub fn has(self, privilege: Privilege) -> bool {
        self.0 & (1 << (privilege as u32)) != 0
    }

    /// What both sets have.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn list(self) -> Vec<Privilege> {
        Privilege::ALL.into_iter().filter(|privilege| self.has(*privilege)).collect()
    }
}

impl Subject {
    pub fn new(person: Person, by: By, privileges: Privileges) -> Self {
        Self { person: Arc::new(person), by, privileges, address: None, user_agent: None }
    }

    /// The same subject, seen coming from there.
    pub fn from_client(mut self, client: &Client) -> Self {
        self.address = client.address;
        self.user_agent.clone_from(&client.user_agent);
        self
    }

    pub fn user_id(&self) -> &str {
        &self.person.id
    }

    pub fn user_name(&self) -> &str {
        &self.person.name
    }

    pub fn role(&self) -> Role {
        self.person.role
    }

    /// The session of a person that signed in.
    pub fn session_id(&self) -> Option<&str> {
        match &self.by {
            By::Session(id) => Some(id),
            By::Token { .. } | By::Device(_) => None,
        }
    }

    pub fn privileges(&self) -> Privileges {
        self.privileges
    }

    pub fn has(&self, privilege: Privilege) -> bool {
        self.privileges.has(privilege)
    }

    /// Whether it may do that; the error names the privilege that is missing.
    pub fn need(&self, privilege: Privilege) -> Result<(), Error> {
        if self.has(privilege) { Ok(()) } else { Err(Error::Forbidden { privilege }) }
    }

    /// The device it is, if it is one.
    pub fn device(&self) -> Option<&Arc<Reach>> {
        match &self.by {
            By::Device(reach) => Some(reach),
            By::Session(_) | By::Token { .. } => None,
        }
    }

    /// Under which name it sends: that of its token or application, else its own.
    pub fn sender_name(&self) -> &str {
        match &self.by {
            By::Token { name, .. } => name,
            By::Device(reach) => &reach.application,
            By::Session(_) => self.user_name(),
        }
    }

    /// The id of its token, device or user: what stays the same when names change hands.
    pub fn sender_id(&self) -> &str {
        match &self.by {
            By::Token { id, .. } => id,
            By::Device(reach) => &reach.device,
            By::Session(_) => self.user_id(),
        }
    }

    /// What it may see of the trail. It is and-ed to whatever it asks for.
    pub fn visibility(&self) -> Filter {
        if let By::Device(reach) = &self.by {
            let of = |name: &String| match name.as_str() {
                "events" => Filter::Not(Box::new(Filter::field("event.module", Test::Exists))),
                name => Filter::equals("event.module", name),
            };
            return Filter::Or(reach.read.iter().map(of).collect());
        }
        if self.has(Privilege::EventsRead) { Filter::All } else { Filter::Or(Vec::new()) }
    }

    /// Writes down who did it, in the fields of ECS; what `event` already says stays.
    pub fn stamp(&self, event: &mut Value) {
        let Value::Object(root) = event else { return };
        if let By::Device(reach) = &self.by {
            fill(root, "event", Map::from_iter([("provider".into(), json!(reach.application))]));
            fill(root, "host", Map::from_iter([("name".into(), json!(reach.name))]));
            fill(root, "labels", Map::from_iter([("device_id".into(), json!(reach.device))]));
            self.stamp_origin(root);
            return;
        }
        let person = &self.person;
        let mut user = Map::new();
        user.insert("id".into(), json!(person.id));
        user.insert("name".into(), json!(person.name));
        user.insert("roles".into(), json!([person.role.name()]));
        for (key, text) in [("full_name", &person.full_name), ("email", &person.email)] {
            if !text.is_empty() {
                user.insert(key.into(), json!(text));
            }
        }
        fill(root, "user", user);
        self.stamp_origin(root);
        match &self.by {
            By::Device(_) => {}
            By::Session(id) => fill(root, "session", Map::from_iter([("id".into(), json!(id))])),
            By::Token { id, name } => {
                let token = json!({"token_id": id, "token_name": name});
                if let Value::Object(labels) = token {
                    fill(root, "labels", labels);
                }
            }
        }
    }
}

impl Subject {
    fn stamp_origin(&self, root: &mut Map<String, Value>) {
        if let Some(address) = self.address {
            fill(root, "source", Map::from_iter([("ip".into(), json!(address.to_canonical().to_string()))]));
        }
        if let Some(agent) = &self.user_agent {
            fill(root, "user_agent", Map::from_iter([("original".into(), json!(agent))]));
        }
    }
}

/// Where a request comes from, before anybody knows whose it is.
#[derive(Debug, Clone, Default)]
pub struct Client {
    pub address: Option<IpAddr>,
    pub user_agent: Option<Arc<str>>,
}

impl Client {
    /// Writes down where it came from.
    pub fn stamp(&self, event: &mut Value) {
        let Value::Object(root) = event else { return };
        if let Some(address) = self.address {
            fill(root, "source", Map::from_iter([("ip".into(), json!(address.to_canonical().to_string()))]));
        }
        if let Some(agent) = &self.user_agent {
            fill(root, "user_agent", Map::from_iter([("original".into(), json!(agent))]));
        }
    }
}

fn fill(root: &mut Map<String, Value>, name: &str, members: Map<String, Value>) {
    let place = root.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(place) = place {
        for (key, value) in members {
            place.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamping_adds_who_and_keeps_what_is_said() {
        let person = Person {
            id: "1".into(),
            name: "ada".into(),
            full_name: String::new(),
            email: "ada@example.org".into(),
            role: Role::Auditor,
        };
        let client = Client { address: Some("::ffff:10.0.0.9".parse().unwrap()), user_agent: Some("curl".into()) };
        let subject = Subject::new(person, By::Session("s1".into()), Privileges::of(Role::Auditor.privileges()))
            .from_client(&client);
        let mut event = json!({"user": {"target": {"name": "bob"}}, "source": {"ip": "1.2.3.4"}});
        subject.stamp(&mut event);
        assert_eq!(event["user"]["name"], "ada");
        assert_eq!(event["user"]["target"]["name"], "bob");
        assert_eq!(event["source"]["ip"], "1.2.3.4");
        assert_eq!(event["session"]["id"], "s1");
        assert!(subject.need(Privilege::EventsRead).is_ok());
        let error = subject.need(Privilege::UsersManage).unwrap_err().to_string();
        assert!(error.contains("users:manage"), "{error}");
        assert_eq!(subject.privileges().list(), {
            let mut all = Role::Auditor.privileges().to_vec();
            all.sort();
            all
        });
    }
}
