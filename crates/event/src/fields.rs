//! The fields that have a place of their own. An event may hold any other field as well.

use serde::Serialize;

/// What kind of values a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text that is compared as a whole: names, ids, types.
    Keyword,
    /// Text that is searched by its words.
    Text,
    Ip,
    Number,
    Date,
    Boolean,
}

/// A field of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The dotted name.
    pub name: &'static str,
    pub kind: Kind,
    /// What people call it.
    pub title: &'static str,
}

const fn field(name: &'static str, kind: Kind, title: &'static str) -> Field {
    Field { name, kind, title }
}

/// The whole set, in the order in which an event is read.
pub const FIELDS: &[Field] = &[
    field("@timestamp", Kind::Date, "Time"),
    field("event.action", Kind::Keyword, "Action"),
    field("event.category", Kind::Keyword, "Category"),
    field("event.outcome", Kind::Keyword, "Outcome"),
    field("event.severity", Kind::Number, "Severity"),
    field("event.reason", Kind::Text, "Reason"),
    field("message", Kind::Text, "Message"),
    field("user.name", Kind::Keyword, "User"),
    field("user.full_name", Kind::Keyword, "Full name"),
    field("user.email", Kind::Keyword, "Email of the user"),
    field("user.id", Kind::Keyword, "User id"),
    field("user.roles", Kind::Keyword, "Roles"),
    field("user.target.name", Kind::Keyword, "Target user"),
    field("user.target.id", Kind::Keyword, "Target user id"),
    field("source.ip", Kind::Ip, "Origin"),
    field("source.port", Kind::Number, "Origin port"),
    field("source.geo.country_iso_code", Kind::Keyword, "Country"),
    field("source.geo.city_name", Kind::Keyword, "City"),
    field("user_agent.original", Kind::Keyword, "User agent"),
    field("host.name", Kind::Keyword, "Host"),
    field("host.ip", Kind::Ip, "Host address"),
    field("entity.type", Kind::Keyword, "Entity type"),
    field("entity.id", Kind::Keyword, "Entity id"),
    field("entity.name", Kind::Keyword, "Entity"),
    field("credential.id", Kind::Keyword, "Credential id"),
    field("credential.type", Kind::Keyword, "Credential type"),
    field("credential.username", Kind::Keyword, "Credential"),
    field("session.id", Kind::Keyword, "Session"),
    field("session.protocol", Kind::Keyword, "Protocol"),
    field("operation.id", Kind::Keyword, "Operation id"),
    field("operation.name", Kind::Keyword, "Operation"),
    field("operation.status", Kind::Keyword, "Operation status"),
    field("operation.attempt", Kind::Number, "Attempt"),
    field("operation.scheduled_at", Kind::Date, "Scheduled at"),
    field("operation.executed_at", Kind::Date, "Executed at"),
    field("operation.requester", Kind::Keyword, "Requester"),
    field("justification.id", Kind::Keyword, "Governance id"),
    field("justification.type", Kind::Keyword, "Reason type"),
    field("justification.text", Kind::Text, "Justification"),
    field("access.request_id", Kind::Keyword, "Access request"),
    field("product.name", Kind::Keyword, "Product"),
    field("certificate.serial", Kind::Keyword, "Certificate serial"),
    field("certificate.subject", Kind::Keyword, "Certificate subject"),
    field("certificate.not_after", Kind::Date, "Certificate ends"),
    field("process.command_line", Kind::Keyword, "Command"),
    field("rule.id", Kind::Keyword, "Rule id"),
    field("rule.name", Kind::Keyword, "Rule"),
    field("rule.level", Kind::Keyword, "Rule level"),
    field("event.module", Kind::Keyword, "Source"),
    field("event.provider", Kind::Keyword, "Application"),
    field("event.id", Kind::Keyword, "Event id"),
    field("event.duration", Kind::Number, "Duration"),
    field("event.ingested", Kind::Date, "Came in"),
    field("event.mapping", Kind::Keyword, "Mapping"),
];

/// Other names under which a field may be asked for.
const ALIASES: &[(&str, &str)] = &[("event.type", "event.action")];

/// The names of the set, sorted, each with its place in [`FIELDS`].
static SORTED: std::sync::LazyLock<Vec<&'static Field>> = std::sync::LazyLock::new(|| {
    let mut sorted: Vec<_> = FIELDS.iter().collect();
    sorted.sort_unstable_by_key(|field| field.name);
    sorted
});

/// The field of that dotted name.
pub fn find(name: &str) -> Option<&'static Field> {
    let at = SORTED.binary_search_by_key(&name, |field| field.name).ok()?;
    SORTED.get(at).copied()
}

/// The name that an alias stands for.
pub fn alias(name: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, stands_for)| *stands_for)
}

/// The name of the set that was probably meant by a name that is in no set.
pub fn suggest(name: &str) -> Option<&'static str> {
    if find(name).is_some() {
        return None;
    }
    let nearest = FIELDS.iter().map(|field| (strsim::osa_distance(name, field.name), field.name)).min()?;
    (nearest.0 <= if name.len() < 8 { 1 } else { 2 }).then_some(nearest.1)
}

/// The field that was probably meant by a name that looks like a slip of the pen: one letter off a
/// name of the set (two, for long ones), in the same group. Any other name may be a field of some event; no
/// name of ECS is taken for a slip.
pub fn misspelt(name: &str) -> Option<&'static str> {
    let (group, last) = name.rsplit_once('.')?;
    if name.contains('*') || find(name).is_some() || alias(name).is_some() || last.len() < 3 {
        return None;
    }
    let near = |field: &&Field| {
        let Some((other_group, other)) = field.name.rsplit_once('.') else { return false };
        let distance_max = if other.len() >= 7 { 2 } else { 1 };
        group == other_group && other.len() >= 3 && strsim::osa_distance(last, other) <= distance_max
    };
    FIELDS.iter().find(near).map(|field| field.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        for field in FIELDS {
            assert_eq!(find(field.name), Some(field));
            assert_eq!(misspelt(field.name), None);
            assert_eq!(suggest(field.name), None);
        }
        assert_eq!(find("user.nme"), None);
        assert_eq!(alias("event.type"), Some("event.action"));
    }

    #[test]
    fn slips_of_the_pen_are_told_from_other_fields() {
        let check = |name: &str, expected: Option<&str>| assert_eq!(misspelt(name), expected, "{name}");
        check("user.nme", Some("user.name"));
        check("user.naem", Some("user.name"));
        check("event.outcom", Some("event.outcome"));
        check("event.sevrity", Some("event.severity"));
        check("user.target.nam", Some("user.target.name"));
        check("user.group", None);
        check("user.ip", None);
        check("labels.nme", None);
        check("native.user", None);
        check("user.na*", None);
        check("nme", None);
        assert_eq!(suggest("usr.name"), Some("user.name"));
        assert_eq!(suggest("mesage"), Some("message"));
        assert_eq!(suggest("somewhere.else"), None);
    }

    #[test]
    fn names_of_ecs_are_never_slips_of_the_pen() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/samples/ecs-fields.csv");
        let Ok(text) = std::fs::read(path) else {
            eprintln!("skipped: the list of ECS fields is not beside the project ({path})");
            return;
        };
        let mut count = 0;
        for row in csv::Reader::from_reader(text.as_slice()).records() {
            let row = row.expect("a row");
            let name = row.get(3).expect("a name");
            assert_eq!(misspelt(name), None, "{name}");
            count += 1;
        }
        assert!(count > 1_000, "{count}");
    }
}
