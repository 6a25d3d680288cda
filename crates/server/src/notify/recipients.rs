//! From what a rule says to whom a message really goes.

use api::notify::ChannelKind;

use super::channels::inbox::AUDIENCE_DEFAULT;
use super::redact;
use crate::state::channels::{Channel, Settings};
use crate::state::users::User;

/// Everybody that `to` means on this channel, each once, in the order given. Who can't be reached keeps the
/// name the rule gave: the delivery then fails and says so, which is better than silence.
pub fn resolve(channel: &Channel, to: &[String], users: &[User]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |recipient: String| {
        if !found.iter().any(|known| known.eq_ignore_ascii_case(&recipient)) {
            found.push(recipient);
        }
    };
    match &channel.settings {
        Settings::Email(email) => {
            let wanted = if to.is_empty() { &email.to } else { to };
            wanted.iter().flat_map(|name| addresses(name, users)).for_each(&mut add);
        }
        Settings::Inbox if to.is_empty() => add(AUDIENCE_DEFAULT.to_owned()),
        Settings::Inbox => to.iter().map(|name| audience(name, users)).for_each(&mut add),
        // A chat or a program has one target, whatever a rule says.
        Settings::Slack(chat) | Settings::Teams(chat) => add(redact::host_only(&chat.url)),
        Settings::Webhook(hook) => add(redact::url(&hook.url)),
    }
    found
}

fn addresses(name: &str, users: &[User]) -> Vec<String> {
    let enabled = || users.iter().filter(|user| !user.disabled && !user.email.is_empty());
    let found: Vec<String> = if let Some(wanted) = name.strip_prefix("user:") {
        enabled().filter(|user| same(&user.name, wanted)).map(|user| user.email.clone()).collect()
    } else if let Some(role) = name.strip_prefix("role:") {
        enabled().filter(|user| user.role == role).map(|user| user.email.clone()).collect()
    } else {
        vec![name.trim().to_owned()]
    };
    if found.is_empty() { vec![name.to_owned()] } else { found }
}

fn audience(name: &str, users: &[User]) -> String {
    if name.starts_with("role:") {
        return name.to_owned();
    }
    let wanted = name.strip_prefix("user:").unwrap_or(name);
    let known = users.iter().find(|user| same(&user.name, wanted)).map_or(wanted, |user| user.name.as_str());
    format!("user:{known}")
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Why `to` makes no sense on this kind of channel, if so. Users are not looked up: they come and go.
pub fn refuse(kind: ChannelKind, to: &str) -> Option<String> {
    let named = to.strip_prefix("user:").or_else(|| to.strip_prefix("role:"));
    if let Some(role) = to.strip_prefix("role:")
        && api::access::Role::from_name(role).is_none()
    {
        return Some(format!("{role} is no role; there are administrator, auditor and member"));
    }
    match (kind, named) {
        (_, Some("")) => Some(format!("{to} names nobody")),
        (ChannelKind::Email | ChannelKind::Inbox, Some(_)) => None,
        (ChannelKind::Email, None) => match to.parse::<lettre::message::Mailbox>() {
            Ok(_) => None,
            Err(_) => Some(format!("{to} is neither an email address nor user:<name> nor role:<name>")),
        },
        (ChannelKind::Inbox, None) => Some(format!("an inbox is told by user:<name> or role:<name>, not {to}")),
        (ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Webhook, _) => {
            Some("this channel has one target of its own, so nobody can be named here".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::channels::{Chat, Email, Security};

    fn channel(settings: Settings) -> Channel {
        Channel {
            id: "c".to_owned(),
            name: "C".to_owned(),
            settings,
            enabled: true,
            created_at: 0,
            updated_at: 0,
            last_ok_at: None,
            last_error: None,
            last_error_at: None,
        }
    }

    fn user(name: &str, role: &str, email: &str, disabled: bool) -> User {
        User {
            id: name.to_owned(),
            name: name.to_owned(),
            full_name: String::new(),
            email: email.to_owned(),
            role: role.to_owned(),
            disabled,
            password: String::new(),
            created_at: 0,
            last_login_at: None,
        }
    }

    #[test]
    fn each_address_gets_one_message() {
        let users = [
            user("Ada", "administrator", "ada@example.org", false),
            user("bob", "administrator", "bob@example.org", true),
            user("cid", "auditor", "", false),
        ];
        let mail = channel(Settings::Email(Email {
            host: "mail".to_owned(),
            port: 25,
            security: Security::None,
            username: None,
            password: None,
            from: "b@example.org".to_owned(),
            to: vec!["ops@example.org".to_owned(), "soc@example.org".to_owned()],
            certificate_authority: None,
        }));
        let inbox = channel(Settings::Inbox);
        let slack = channel(Settings::Slack(Chat { url: "https://hooks.slack.com/services/s3cret".to_owned() }));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (channel, to, wanted) in [
            (&mail, vec![], vec!["ops@example.org", "soc@example.org"]),
            (&mail, vec!["role:administrator", "user:ada", "ADA@example.org"], vec!["ada@example.org"]),
            (&mail, vec!["user:cid", "role:member"], vec!["user:cid", "role:member"]),
            (&inbox, vec![], vec!["role:administrator"]),
            (&inbox, vec!["user:ada", "role:member"], vec!["user:Ada", "role:member"]),
            (&slack, vec![], vec!["https://hooks.slack.com/••••"]),
        ] {
            assert_eq!(resolve(channel, &names(&to), &users), names(&wanted), "{to:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (kind, to, ok) in [
            (ChannelKind::Email, "ops@example.org", true),
            (ChannelKind::Email, "user:ada", true),
            (ChannelKind::Email, "ops", false),
            (ChannelKind::Email, "role:boss", false),
            (ChannelKind::Inbox, "role:member", true),
            (ChannelKind::Inbox, "ops@example.org", false),
            (ChannelKind::Inbox, "user:", false),
            (ChannelKind::Slack, "#ops", false),
        ] {
            assert_eq!(refuse(kind, to).is_none(), ok, "{to}");
        }
    }
}
