//! Rules as they are kept, and made ready to be asked.

use std::collections::HashMap;

use event::filter::Matcher;
use event::{Event, Filter};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The interval within which the same thing is told once, when the rule says nothing: one hour.
pub const HOLD_MS: u64 = 3_600_000;
/// The longest interval: a year.
pub const HOLD_MS_MAX: u64 = 366 * 24 * 3_600_000;
/// The most fields that tell one thing from another.
pub const GROUP_BY_MAX: usize = 16;

/// Names a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub String);

/// Names a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub String);

/// Picks events and says whom to tell, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub id: RuleId,
    pub name: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Written as KQL.
    pub filter: Filter,
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// The same thing is told once within this time; 0 tells every time.
    #[serde(default = "hold_ms")]
    pub hold_ms: u64,
    /// The fields whose values make two events the same thing.
    #[serde(default = "group_by")]
    pub group_by: Vec<String>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Recipient {
    pub channel: ChannelId,
    /// Addresses, `user:<name>`, `role:<name>`; empty is the channel's own target.
    #[serde(default)]
    pub to: Vec<String>,
}

/// Why a rule can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("the rule has no name")]
    NoName,
    #[error("the rule tells nobody")]
    NoRecipients,
    #[error("the hold interval of {hold_ms} ms is longer than {max} ms", max = HOLD_MS_MAX)]
    HoldTooLong { hold_ms: u64 },
    #[error("{count} fields to group by are more than {max}", max = GROUP_BY_MAX)]
    TooManyGroups { count: usize },
    #[error("{field:?} is no field to group by")]
    NotAField { field: String },
}

impl Rule {
    /// A rule that picks what `filter` picks and tells nobody yet, with the usual interval.
    pub fn new(id: impl Into<String>, name: impl Into<String>, filter: Filter) -> Self {
        Self {
            id: RuleId(id.into()),
            name: name.into(),
            enabled: true,
            filter,
            recipients: Vec::new(),
            hold_ms: HOLD_MS,
            group_by: group_by(),
        }
    }

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<RuleError> {
        let mut errors = Vec::new();
        if self.name.trim().is_empty() {
            errors.push(RuleError::NoName);
        }
        if self.recipients.is_empty() {
            errors.push(RuleError::NoRecipients);
        }
        if self.hold_ms > HOLD_MS_MAX {
            errors.push(RuleError::HoldTooLong { hold_ms: self.hold_ms });
        }
        if self.group_by.len() > GROUP_BY_MAX {
            errors.push(RuleError::TooManyGroups { count: self.group_by.len() });
        }
        let bad = |field: &&String| field.contains('*') || field.split('.').any(|part| part.trim().is_empty());
        errors.extend(self.group_by.iter().filter(bad).map(|field| RuleError::NotAField { field: field.clone() }));
        errors
    }

    /// The interval within which the same thing is told once.
    pub fn hold(&self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.hold_ms.min(HOLD_MS_MAX)).unwrap_or(i64::MAX))
    }
}

const fn yes() -> bool {
    true
}

const fn hold_ms() -> u64 {
    HOLD_MS
}

fn group_by() -> Vec<String> {
    ["event.action", "user.name", "host.name"].map(str::to_owned).to_vec()
}

/// Rules made ready: their filters compiled, and found by the action of an event, so that an event
/// meets only the rules that could pick it.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Ready>,
    by_action: HashMap<String, Vec<usize>>,
    any_action: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Ready {
    rule: Rule,
    matcher: Matcher,
}

impl RuleSet {
    /// Makes rules ready.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut set = Self::default();
        for rule in rules {
            let at = set.rules.len();
            match rule.filter.required_actions() {
                Some(actions) => {
                    for action in actions {
                        set.by_action.entry(action).or_default().push(at);
                    }
                }
                None => set.any_action.push(at),
            }
            let matcher = Matcher::new(&rule.filter);
            set.rules.push(Ready { rule, matcher });
        }
        set
    }

    /// All rules, in their order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|ready| &ready.rule)
    }

    /// The rule of that id.
    pub fn get(&self, id: &RuleId) -> Option<&Rule> {
        self.rules().find(|rule| rule.id == *id)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether some rule could pick an event with this action. Of one that none could pick, nothing
    /// else need be read.
    pub fn may_pick(&self, action: &str) -> bool {
        !self.any_action.is_empty() || self.by_action.contains_key(event::words::fold(action).as_ref())
    }

    /// The rules that pick `event`, in their order, switched on or not.
    pub(crate) fn matching<'a>(&'a self, event: &Event<'_>) -> impl Iterator<Item = &'a Rule> {
        let action = event::words::fold(event.action());
        let mut places = self.any_action.clone();
        places.extend(self.by_action.get(action.as_ref()).into_iter().flatten());
        places.sort_unstable();
        places.retain(|at| self.rules.get(*at).is_some_and(|ready| ready.matcher.matches(event)));
        places.into_iter().filter_map(|at| self.rules.get(at)).map(|ready| &ready.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_travels_as_json() {
        let json = serde_json::json!({
            "id": "r1", "name": "Failed logins", "filter": "event.type: authentication.failed",
            "recipients": [{"channel": "mail", "to": ["user:ada"]}, {"channel": "slack"}],
        });
        let rule: Rule = serde_json::from_value(json).unwrap();
        assert!(rule.enabled);
        assert_eq!(rule.hold_ms, HOLD_MS);
        assert_eq!(rule.group_by, ["event.action", "user.name", "host.name"]);
        assert_eq!(rule.check(), []);
        assert_eq!(serde_json::from_value::<Rule>(serde_json::to_value(&rule).unwrap()).unwrap(), rule);
        let broken = serde_json::json!({"id": "r", "name": "n", "filter": "user.nme: x"});
        assert!(serde_json::from_value::<Rule>(broken).unwrap_err().to_string().contains("unknown field user.nme"));
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told() {
        let mut rule = Rule::new("r", " ", Filter::All);
        rule.hold_ms = HOLD_MS_MAX + 1;
        rule.group_by = vec!["a..b".to_owned(), "user.*".to_owned()];
        let told: Vec<_> = rule.check().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "the rule has no name",
                "the rule tells nobody",
                "the hold interval of 31622400001 ms is longer than 31622400000 ms",
                "\"a..b\" is no field to group by",
                "\"user.*\" is no field to group by",
            ]
        );
    }
}
