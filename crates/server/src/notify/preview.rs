//! What a rule would have sent over the past days, through the code that runs live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::notify::{Preview, PreviewMessage, PreviewRequest, PreviewSpan};
use event::Event;
use jiff::{SignedDuration, Timestamp};
use rules::{Previewer, Verdict};
use store::{Budget, Cursor, Order, Paging, Query, Store};

use super::channels::{email, slack, teams, webhook};
use super::{Error, Notify, Room, message, rulebook};
use crate::state::rules::Rule;

const DAYS_MAX: u32 = 90;
/// The first messages are shown as they would look.
const MESSAGES_MAX: usize = 5;
/// Bounds of one preview: a rule that picks everything is told from its beginning, and says so.
const MATCHED_MAX: u64 = 200_000;
const TIME_MAX: Duration = Duration::from_secs(8);
const PAGE: usize = 1_000;

impl Notify {
    /// Runs the rule over the past; writes nothing, sends nothing.
    pub async fn preview(&self, store: Arc<Store>, request: PreviewRequest) -> Result<Preview, Error> {
        if !(1..=DAYS_MAX).contains(&request.days) {
            return Err(Error::invalid("/days", format!("1 to {DAYS_MAX}")));
        }
        let now = self.room().needs.clock.now();
        let row = rulebook::read_draft("preview".to_owned(), request.rule, "", now, false).map_err(|parts| {
            Error::Invalid {
                parts: parts
                    .into_iter()
                    .map(|part| api::problem::ProblemPart { pointer: format!("/rule{}", part.pointer), ..part })
                    .collect(),
            }
        })?;
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || run(this.room(), &store, &row, request.days, now)).await;
        done.map_err(|error| Error::GivenUp(error.to_string()))?
    }
}

fn run(room: &Room, store: &Store, row: &Rule, days: u32, now: Timestamp) -> Result<Preview, Error> {
    let rule = row.ready().map_err(|error| Error::invalid("/rule/filter", error.to_string()))?;
    let filter = rule.filter.clone();
    let span = if days <= 2 { SignedDuration::from_hours(1) } else { SignedDuration::from_hours(24) };
    let from = now - SignedDuration::from_hours(24 * i64::from(days));
    let budget = Budget { deadline: Some(Instant::now() + TIME_MAX), cancel: None };
    let query = Query::new(&filter, now).between(from, None).within(budget);
    let name = Some(rule.name.clone()).filter(|name| !name.is_empty());
    let mut previewer = Previewer::new(rule, &room.needs.catalogue, span, 0);
    let mut first = Vec::new();
    let (mut taken, mut reached) = (0_u64, from);
    let size = room.needs.door.trail().size();
    let mut cursor: Option<Cursor> = None;
    let truncated = loop {
        let page =
            store.search(&query, &Paging { order: Order::Oldest, limit: PAGE, cursor }, size).map_err(Error::Store)?;
        for hit in &page.hits {
            let Ok(event) = Event::read(&hit.entry) else { continue };
            taken += 1;
            reached = hit.time;
            // They come in the order in which they happened, which need not be that of their positions. The rules
            // want an order; the count is one.
            let Some(effect) = previewer.take_at(taken, &event, hit.time) else { continue };
            if let Verdict::Send { held_before } = effect.verdict
                && first.len() < MESSAGES_MAX
            {
                first.push(look(room, &event, hit.position, name.as_deref(), held_before));
            }
        }
        match page.next {
            _ if page.stopped.is_some() || taken >= MATCHED_MAX => break true,
            Some(next) => cursor = Some(next),
            None => break false,
        }
    };
    let preview = previewer.finish();
    Ok(Preview {
        matched: preview.matched,
        sent: preview.sent,
        held: preview.held,
        scanned_to: truncated.then(|| reached.to_string()),
        timeline: preview
            .timeline
            .into_iter()
            .map(|bucket| PreviewSpan { from: bucket.from.to_string(), sent: bucket.sent, held: bucket.held })
            .collect(),
        first,
        truncated,
    })
}

/// A message as each kind of channel would show it.
fn look(room: &Room, event: &Event<'_>, position: u64, rule: Option<&str>, held_before: u64) -> PreviewMessage {
    let told = message::of_event(room.frame(), event, position, rule, held_before);
    let letter = email::letter(&told);
    let body = webhook::body(&told, Some(&event.to_json()));
    PreviewMessage {
        at: told.at.to_string(),
        position,
        held_before,
        email_html: letter.html,
        email_text: letter.plain,
        slack: slack::body(&told),
        teams: teams::body(&told),
        webhook: serde_json::from_slice(&body).unwrap_or_default(),
        subject: told.subject,
        text: told.text,
    }
}
