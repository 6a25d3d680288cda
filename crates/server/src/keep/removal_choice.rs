//! Which events a removal is about. Depends on its arguments alone.

use event::filter::{FilterError, Matcher};
use event::{Event, Filter, Value};
use jiff::Timestamp;

use crate::append::OWN_SOURCE;
use crate::state::holds::Hold;
use crate::state::removals::Lane;

/// Events of our own whose action begins so tell of the trail's own keeping: they prove what was removed and why.
pub const PROTECTED: [&str; 6] = ["trail.", "retention.", "erasure.", "hold.", "backup.", "masterkey."];
/// The policy of all categories that have none of their own.
pub const REST: &str = "*";

/// Whether no removal may touch it. Only ours: with a name of this kind a sender could else keep anything from being erased.
pub fn is_protected(event: &Event<'_>) -> bool {
    event.text("event.module") == Some(OWN_SOURCE) && PROTECTED.iter().any(|start| event.action().starts_with(start))
}

/// The categories of an event, in small letters.
fn categories(event: &Event<'_>) -> Vec<String> {
    let mut found = Vec::new();
    event.values("event.category", &mut |value: &Value<'_>| {
        found.extend(value.as_str().map(str::to_lowercase));
    });
    found
}

/// The name an event is counted under: its first category.
pub fn category(event: &Event<'_>) -> String {
    categories(event).into_iter().next().unwrap_or_default()
}

/// The policy of an event: that of its category; of several categories the longest; else the one for the rest.
pub fn lane_of(lanes: &[Lane], event: &Event<'_>) -> Option<usize> {
    let own = categories(event);
    let named = lanes.iter().enumerate().filter(|(_, lane)| own.contains(&lane.category));
    named
        .max_by_key(|(_, lane)| lane.keep_seconds)
        .map(|(at, _)| at)
        .or_else(|| lanes.iter().position(|lane| lane.category == REST))
}

/// A filter and a stretch of `@timestamp`.
pub struct Wanted {
    matcher: Matcher,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Wanted {
    /// `from_ms` and `to_ms` in milliseconds since 1970.
    pub fn new(filter: &Filter, from_ms: Option<i64>, to_ms: Option<i64>) -> Self {
        let moment = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self { matcher: Matcher::new(filter), from: moment(from_ms), to: moment(to_ms) }
    }

    pub fn picks(&self, event: &Event<'_>) -> bool {
        let at = event.timestamp();
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to) && self.matcher.matches(event)
    }
}

/// The legal holds that stand.
pub struct Standing(Vec<(String, Wanted)>);

impl Standing {
    pub fn of(holds: &[Hold]) -> Result<Self, FilterError> {
        let ready = |hold: &Hold| {
            let filter = event::filter::parse(hold.picked.filter.as_deref().unwrap_or_default())?;
            Ok((hold.id.clone(), Wanted::new(&filter, hold.picked.from_at, hold.picked.to_at)))
        };
        holds.iter().map(ready).collect::<Result<_, _>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The id of a hold that keeps the event.
    pub fn keeps(&self, event: &Event<'_>) -> Option<&str> {
        self.0.iter().find(|(_, wanted)| wanted.picks(event)).map(|(id, _)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::picked::Picked;

    fn lane(category: &str, keep_seconds: i64) -> Lane {
        Lane {
            category: category.into(),
            keep: String::new(),
            keep_seconds,
            before: 0,
            from: 0,
            young: None,
            done: false,
        }
    }

    #[test]
    fn the_policy_of_an_event_is_the_most_specific_and_then_the_longest() {
        let check = |lanes: &[Lane], categories: &str, expected: Option<usize>| {
            let entry = format!(r#"{{"event":{{"action":"a.b","category":{categories}}}}}"#);
            assert_eq!(lane_of(lanes, &Event::read(entry.as_bytes()).unwrap()), expected, "{categories}");
        };
        let lanes = [lane("*", 10), lane("session", 20), lane("user", 30)];
        check(&lanes, r#""session""#, Some(1));
        check(&lanes, r#""Session""#, Some(1));
        check(&lanes, r#"["session","user"]"#, Some(2));
        check(&lanes, r#"["session","audit"]"#, Some(1));
        check(&lanes, r#""audit""#, Some(0));
        check(&lanes, "null", Some(0));
        check(&lanes[1..], r#""audit""#, None);
    }

    #[test]
    fn only_our_own_records_of_keeping_are_protected() {
        let check = |module: &str, action: &str, expected: bool| {
            let entry = format!(r#"{{"event":{{"action":"{action}","module":"{module}"}}}}"#);
            assert_eq!(is_protected(&Event::read(entry.as_bytes()).unwrap()), expected, "{module} {action}");
        };
        check("belfry", "retention.applied", true);
        check("belfry", "masterkey.recovery.failed", true);
        check("belfry", "user.login", false);
        check("vault", "backup.completed", false);
    }

    #[test]
    fn a_hold_keeps_what_it_picks_within_its_time() {
        let mut hold = Hold {
            id: "h".into(),
            name: "case 7".into(),
            picked: Picked {
                filter: Some("user.name: jane".into()),
                salt: None,
                filter_hash: String::new(),
                from_at: Some(1_000),
                to_at: Some(2_000),
            },
            reason: String::new(),
            placed_by: String::new(),
            placed_at: 0,
            released_by: None,
            released_at: None,
            release_reason: None,
        };
        let keeps = |hold: &Hold, user: &str, at: i64| {
            let at = Timestamp::from_millisecond(at).unwrap();
            let entry = format!(r#"{{"@timestamp":"{at}","event":{{"action":"a.b"}},"user":{{"name":"{user}"}}}}"#);
            Standing::of(std::slice::from_ref(hold)).unwrap().keeps(&Event::read(entry.as_bytes()).unwrap()).is_some()
        };
        assert!(keeps(&hold, "Jane", 1_000) && keeps(&hold, "jane", 1_999));
        assert!(!keeps(&hold, "jane", 999) && !keeps(&hold, "jane", 2_000) && !keeps(&hold, "bob", 1_500));
        hold.picked.filter = Some(String::new());
        assert!(keeps(&hold, "bob", 1_500), "a hold without a filter keeps everything of its time");
    }
}
