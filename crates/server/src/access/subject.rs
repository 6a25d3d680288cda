//! Who asks. Every request, and everything the server does by itself, ends in one `Subject`.

use std::net::IpAddr;
use std::sync::Arc;

use api::access::{Person, Privilege, Role};
use event::Filter;
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
            By::Token { .. } => None,
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

    /// What it may see of the trail. It is and-ed to whatever it asks for.
    pub fn visibility(&self) -> Filter {
        if self.has(Privilege::EventsRead) { Filter::All } else { Filter::Or(Vec::new()) }
    }

    /// Writes down who did it, in the fields of ECS; what `event` already says stays.
    pub fn stamp(&self, event: &mut Value) {
        let Value::Object(root) = event else { return };
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
        if let Some(address) = self.address {
            fill(root, "source", Map::from_iter([("ip".into(), json!(address.to_canonical().to_string()))]));
        }
        if let Some(agent) = &self.user_agent {
            fill(root, "user_agent", Map::from_iter([("original".into(), json!(agent))]));
        }
        match &self.by {
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
