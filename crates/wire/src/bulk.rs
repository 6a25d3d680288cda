//! Bodies of Elasticsearch's `_bulk`: a line that says what to do, then, for what adds, a line with the document.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Index,
    Create,
    Update,
    Delete,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether it adds a document. A trail takes nothing else.
    pub fn adds(self) -> bool {
        matches!(self, Self::Index | Self::Create)
    }
}

/// One action of the body, in the order of the body; the answer has one item for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    pub action: Action,
    /// The index it names; of no use where it was escaped, which names of indices never are.
    pub index: Option<&'a str>,
    pub id: Option<&'a str>,
    /// Where the document lies in the body.
    pub document: Option<Range<usize>>,
    /// Why it can't be taken.
    pub fault: Option<&'static str>,
}

/// Actions of one body.
pub const ITEMS_MAX: usize = 50_000;

/// Reads the actions of a body. A line that is no action is one with a fault, whose document is that line; reading goes
/// on behind it.
pub fn items(body: &[u8]) -> Items<'_> {
    Items { body, at: 0, known: None }
}

pub struct Items<'a> {
    body: &'a [u8],
    at: usize,
    /// The action line before this one: senders write the same one again and again.
    known: Option<(&'a [u8], Head<'a>)>,
}

#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    action: Action,
    index: Option<&'a str>,
    id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    index: Option<Target<'a>>,
    #[serde(borrow)]
    create: Option<Target<'a>>,
    #[serde(borrow)]
    update: Option<Target<'a>>,
    #[serde(borrow)]
    delete: Option<Target<'a>>,
}

#[derive(Deserialize)]
struct Target<'a> {
    #[serde(borrow, rename = "_index")]
    index: Option<&'a RawValue>,
    #[serde(borrow, rename = "_id")]
    id: Option<&'a RawValue>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let (line, range) = self.line()?;
        let Some(head) = self.head(line) else {
            let fault = Some("this line is no action: one of index, create, update, delete was expected");
            return Some(Item { action: Action::Index, index: None, id: None, document: Some(range), fault });
        };
        let Head { action, index, id } = head;
        let mut item = Item { action, index, id, document: None, fault: None };
        if action == Action::Delete {
            return Some(item);
        }
        let before = self.at;
        match self.line() {
            None => item.fault = Some("the body ends before the document of this action"),
            Some((document, range)) => {
                // A document that was forgotten must not swallow the next action.
                if looks_like_action(document) && head_of(document).is_some() {
                    self.at = before;
                    item.fault = Some("this action has no document");
                } else {
                    if document.first() != Some(&b'{') || document.last() != Some(&b'}') {
                        item.fault = Some("the document is no JSON object on one line");
                    }
                    item.document = Some(range);
                }
            }
        }
        Some(item)
    }
}

impl<'a> Items<'a> {
    /// The next line that says something, without the blanks around it.
    fn line(&mut self) -> Option<(&'a [u8], Range<usize>)> {
        loop {
            let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
            let end = memchr::memchr(b'\n', rest);
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let begin = self.at;
            self.at += end.map_or(rest.len(), |end| end + 1);
            let left = line.len() - line.trim_ascii_start().len();
            let line = line.trim_ascii();
            if !line.is_empty() {
                let start = begin + left;
                return Some((line, start..start + line.len()));
            }
        }
    }

    fn head(&mut self, line: &'a [u8]) -> Option<Head<'a>> {
        if let Some((known, head)) = self.known
            && known == line
        {
            return Some(head);
        }
        let head = head_of(line)?;
        self.known = Some((line, head));
        Some(head)
    }
}

/// A cheap look before the careful one.
fn looks_like_action(line: &[u8]) -> bool {
    let inner = line.strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    line.len() < 4_096
        && [&b"\"index\""[..], b"\"create\"", b"\"update\"", b"\"delete\""].iter().any(|name| inner.starts_with(name))
}

fn head_of(line: &[u8]) -> Option<Head<'_>> {
    let read: Line<'_> = serde_json::from_slice(line).ok().filter(|_| line.first() == Some(&b'{'))?;
    let mut all = [
        (Action::Index, read.index),
        (Action::Create, read.create),
        (Action::Update, read.update),
        (Action::Delete, read.delete),
    ]
    .into_iter()
    .filter_map(|(action, target)| Some((action, target?)));
    let (action, target) = all.next()?;
    if all.next().is_some() {
        return None;
    }
    Some(Head { action, index: target.index.and_then(plain), id: target.id.and_then(plain) })
}

/// A string that needs no unescaping, or a number.
fn plain(value: &RawValue) -> Option<&str> {
    let json = value.get();
    let text = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    (!text.is_empty() && text != "null" && !text.contains(['\\', '{', '['])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each action as `name index/id document fault`.
    fn check(body: &str, expected: &[&str]) {
        let got: Vec<String> = items(body.as_bytes())
            .map(|item| {
                let document = item.document.map_or("-", |range| &body[range]);
                let fault = item.fault.map_or(String::new(), |fault| format!(" !{fault}"));
                let (index, id) = (item.index.unwrap_or("-"), item.id.unwrap_or("-"));
                format!("{} {index}/{id} {document}{fault}", item.action.name())
            })
            .collect();
        assert_eq!(got, expected, "{body}");
    }

    #[test]
    fn reads_what_shippers_write() {
        check(
            "{\"create\":{\"_index\":\"logs\"}}\n{\"a\":1}\n{\"create\":{\"_index\":\"logs\"}}\r\n {\"a\":2} \r\n\n{\"delete\":{\"_id\":\"7\"}}\n{\"index\":{}}\n{}",
            &["create logs/- {\"a\":1}", "create logs/- {\"a\":2}", "delete -/7 -", "index -/- {}"],
        );
        check(
            "{\"index\":{\"_index\":\"x\",\"_id\":5,\"pipeline\":\"p\"}}\n{\"index\":3}\n{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{}}",
            &["index x/5 {\"index\":3}", "update -/1 {\"doc\":{}}"],
        );
        check("", &[]);
    }

    #[test]
    fn goes_on_behind_what_is_broken() {
        let no_action = "this line is no action: one of index, create, update, delete was expected";
        check(
            "{\"index\":{}}\n{\"a\":\n{\"index\":{}}\n{\"b\":1}\n{oops}\n{\"index\":{}}\n{\"c\":1}",
            &[
                "index -/- {\"a\": !the document is no JSON object on one line",
                "index -/- {\"b\":1}",
                &format!("index -/- {{oops}} !{no_action}"),
                "index -/- {\"c\":1}",
            ],
        );
        check(
            "{\"index\":{}}\n{\"create\":{}}\n{\"c\":1}\n{\"index\":{}}",
            &[
                "index -/- - !this action has no document",
                "create -/- {\"c\":1}",
                "index -/- - !the body ends before the document of this action",
            ],
        );
        check("{\"index\":{},\"create\":{}}", &[&format!("index -/- {{\"index\":{{}},\"create\":{{}}}} !{no_action}")]);
    }
}
