//! Elasticsearch's `_bulk`: what adds is taken, what would change or delete is refused, one item of the answer for each.

use std::io::Write as _;

use api::events::Receipt;
use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use wire::bulk::{self, Item};
use wire::json_text;

use super::body;
use super::dialect::Dialect;
use super::elastic::PRODUCT;
use super::ingest::{provider_of, sender_of};
use super::{Problem, Query};
use crate::access::Subject;
use crate::app::App;
use crate::ingest::routed::{GENERIC, RoutedPiece};
use crate::ingest::{Records, Routed, Routing};

#[derive(Debug, Default, Deserialize)]
pub struct Params {
    source: Option<String>,
    filter_path: Option<String>,
}

/// Takes a bulk request, at `/_bulk` and at `/{index}/_bulk`.
pub async fn bulk(
    State(app): State<App>,
    subject: Subject,
    path: RawPathParams,
    Query(params): Query<Params>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let index = path.iter().find(|(name, _)| *name == "index").map(|(_, index)| index.to_owned());
    match take(&app, &subject, index.as_deref().unwrap_or(""), &params, &headers, body).await {
        Ok(answer) => {
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            ([PRODUCT, kind], answer).into_response()
        }
        Err(problem) => Dialect::Elastic.say(problem, None),
    }
}

/// What becomes of an item.
enum Fate {
    /// It is piece `n` of the batch.
    Piece(usize),
    /// It is not taken, and why.
    Refused(&'static str),
}

async fn take(
    app: &App,
    subject: &Subject,
    index: &str,
    params: &Params,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<u8>, Problem> {
    let began = std::time::Instant::now();
    let content = body::read(app, headers, body).await?;
    let mut routing = Routing::new(app.intake.registry(), params.source.as_deref(), provider_of(subject))?;
    let mut pieces = Vec::with_capacity(content.bytes.len() / 512);
    let mut heads = Answer::new(params.filter_path.is_some());
    for item in bulk::items(&content.bytes) {
        if heads.items.len() == bulk::ITEMS_MAX {
            return Err(body::BodyFault::TooLarge { limit: bulk::ITEMS_MAX }.into());
        }
        let target = item.index.unwrap_or(index);
        let fate = match &item.document {
            _ if !item.action.adds() => Fate::Refused("a trail is only added to: nothing in it is updated or deleted"),
            None => Fate::Refused(item.fault.unwrap_or("this action has no document")),
            Some(range) => {
                let record = content.bytes.get(range.clone()).unwrap_or_default();
                let source = routing.choose(&[target]).unwrap_or_else(|| routing.by_shape(record, GENERIC));
                pieces.push(RoutedPiece { range: range.clone(), source, broken: item.fault });
                Fate::Piece(pieces.len() - 1)
            }
        };
        heads.add(&item, target, fate);
    }
    if heads.items.is_empty() {
        return Err(Problem::bad_request("the request has no action"));
    }
    let receipt = if pieces.is_empty() {
        Receipt::default()
    } else {
        let routed = Routed { sources: routing.into_sources(), buffer: content.bytes, pieces };
        app.intake.take(sender_of(subject, None), Records::Routed(routed), None).await?
    };
    Ok(heads.write(&receipt, began.elapsed().as_millis()))
}

/// The items of the answer. Their beginnings are written while the request is read, since it is given away then.
struct Answer {
    /// Only what a client can't do without: it asked so by `filter_path`.
    lean: bool,
    text: Vec<u8>,
    /// Where each item's beginning ends in `text`, what becomes of it, and whether it had an id of its own.
    items: Vec<(usize, Fate, bool)>,
}

impl Answer {
    fn new(lean: bool) -> Self {
        Self { lean, text: Vec::new(), items: Vec::new() }
    }

    fn add(&mut self, item: &Item<'_>, index: &str, fate: Fate) {
        let out = &mut self.text;
        out.push(b'{');
        json_text::string(out, item.action.name().as_bytes());
        out.extend_from_slice(b":{");
        if !self.lean {
            out.extend_from_slice(b"\"_index\":");
            json_text::string(out, if index.is_empty() { "belfry" } else { index }.as_bytes());
            out.push(b',');
            if let Some(id) = item.id {
                out.extend_from_slice(b"\"_id\":");
                json_text::string(out, id.as_bytes());
                out.push(b',');
            }
        }
        self.items.push((out.len(), fate, item.id.is_some()));
    }

    /// The whole answer. An item that was set aside is an error that no sender repeats: it is kept here, with its
    /// reason, and waits for a mended mapping.
    fn write(&self, receipt: &Receipt, took_ms: u128) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + self.items.len() * 160);
        let refused = self.items.iter().any(|(_, fate, _)| matches!(fate, Fate::Refused(_)));
        let errors = refused || !receipt.rejected.is_empty();
        let _ = write!(out, "{{\"took\":{took_ms},\"errors\":{errors},\"items\":[");
        // The receipt lists rejected pieces by their place, in order; of very many it lists the first thousand.
        let mut rejected = receipt.rejected.iter().peekable();
        let mut position = receipt.first.unwrap_or(0);
        let mut from = 0;
        for (nth, (until, fate, has_id)) in self.items.iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            out.extend_from_slice(self.text.get(from..*until).unwrap_or_default());
            from = *until;
            let fault = match fate {
                Fate::Refused(reason) => Some(("illegal_argument_exception", *reason)),
                Fate::Piece(piece) => rejected
                    .next_if(|rejected| rejected.index == *piece)
                    .map(|rejected| ("document_parsing_exception", rejected.error.as_str())),
            };
            if let Some((kind, reason)) = fault {
                let _ = write!(out, "\"status\":400,\"error\":{{\"type\":\"{kind}\",\"reason\":");
                json_text::string(&mut out, reason.as_bytes());
                out.extend_from_slice(b"}}}");
                continue;
            }
            if !self.lean {
                if !has_id {
                    let _ = write!(out, "\"_id\":\"{position}\",");
                }
                let _ = write!(
                    out,
                    "\"_version\":1,\"result\":\"created\",\"_shards\":{{\"total\":1,\"successful\":1,\"failed\":0}},\"_seq_no\":{position},\"_primary_term\":1,"
                );
            }
            position += 1;
            out.extend_from_slice(b"\"status\":201}}");
        }
        out.extend_from_slice(b"]}");
        out
    }
}

#[cfg(test)]
mod tests {
    use api::events::Rejected;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_action_has_its_item_in_its_place() {
        let mut answer = Answer::new(false);
        let body = b"{\"create\":{\"_index\":\"a\"}}\n{}\n{\"delete\":{\"_id\":\"x\"}}\n{\"index\":{\"_id\":\"y\"}}\n{}\n{\"index\":{}}\n{}";
        let mut pieces = 0;
        for item in bulk::items(body) {
            let fate = if item.action.adds() {
                pieces += 1;
                Fate::Piece(pieces - 1)
            } else {
                Fate::Refused("no")
            };
            answer.add(&item, item.index.unwrap_or("b"), fate);
        }
        let rejected = Rejected { index: 1, error: "bad \"thing\"".into(), field: None, set_aside: None };
        let receipt =
            Receipt { accepted: 2, first: Some(7), last: Some(8), rejected: vec![rejected], ..Receipt::default() };
        let read: Value = serde_json::from_slice(&answer.write(&receipt, 3)).unwrap();
        assert_eq!((read["errors"].clone(), read["took"].clone()), (json!(true), json!(3)));
        assert_eq!(read["items"][0]["create"]["_id"], "7");
        assert_eq!(read["items"][1]["delete"]["status"], 400);
        assert_eq!(read["items"][2]["index"]["error"]["reason"], "bad \"thing\"");
        assert_eq!(read["items"][3]["index"]["_seq_no"], 8);
        answer.lean = true;
        assert!(serde_json::from_slice::<Value>(&answer.write(&receipt, 3)).is_ok());
    }
}
