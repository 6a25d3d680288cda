//! The inbox, as a person works with it.

use api::notify::{Inbox, InboxItem, InboxSelection};
use event::Severity;
use serde_json::json;

use super::{Error, Notify, Recorder};
use crate::changes::Entity;
use crate::state;
use crate::state::inbox::{Item, Selection, Viewer};

const IDS_MAX: usize = 1_000;

impl Notify {
    pub async fn inbox(&self, viewer: &Viewer, unread: bool, before: Option<i64>, limit: u32) -> Result<Inbox, Error> {
        let pool = &self.room().needs.state;
        let mut items = state::inbox::list(pool, viewer, unread, before, limit + 1).await?;
        let whole = items.len() <= limit as usize;
        items.truncate(limit as usize);
        let next = if whole { None } else { items.last().map(|item| item.seq.to_string()) };
        Ok(Inbox {
            items: items.into_iter().map(shown).collect(),
            next,
            unread: state::inbox::unread(pool, viewer).await?,
        })
    }

    pub async fn inbox_read(&self, viewer: &Viewer, selection: &InboxSelection) -> Result<u64, Error> {
        let (pool, now) = (&self.room().needs.state, self.room().now_ms());
        Ok(state::inbox::read(pool, viewer, selected(selection)?, now).await?)
    }

    pub async fn inbox_acknowledge(&self, viewer: &Viewer, selection: &InboxSelection) -> Result<u64, Error> {
        let (pool, now) = (&self.room().needs.state, self.room().now_ms());
        Ok(state::inbox::acknowledge(pool, viewer, selected(selection)?, now).await?)
    }

    /// Deletes for everyone, so the trail says who did it and what it was.
    pub async fn inbox_delete(
        &self,
        viewer: &Viewer,
        selection: &InboxSelection,
        record: Recorder<'_>,
    ) -> Result<u64, Error> {
        let mut transaction = state::begin_write(&self.room().needs.state).await?;
        let gone = state::inbox::delete(&mut transaction, viewer, selected(selection)?).await?;
        if let Some((first, subject)) = gone.first() {
            let name =
                if let [_] = gone.as_slice() { subject.clone() } else { format!("{} notifications", gone.len()) };
            let subjects: Vec<&String> = gone.iter().take(20).map(|(_, subject)| subject).collect();
            let change = json!({"field": "subject", "old": subjects, "new": null});
            record(Entity { kind: "notification", id: first, name: &name }.event("entity.deactivated", vec![change]))
                .await?;
        }
        transaction.commit().await?;
        Ok(gone.len() as u64)
    }
}

fn selected(selection: &InboxSelection) -> Result<Selection<'_>, Error> {
    match (selection.all, selection.ids.as_slice()) {
        (true, []) => Ok(Selection::All),
        (true, _) => Err(Error::invalid("/all", "either all, or some by id")),
        (false, ids) if ids.is_empty() || ids.len() > IDS_MAX => {
            Err(Error::invalid("/ids", format!("1 to {IDS_MAX}, or all")))
        }
        (false, ids) => Ok(Selection::Ids(ids)),
    }
}

fn shown(item: Item) -> InboxItem {
    let severity = u8::try_from(item.severity).unwrap_or(100);
    InboxItem {
        id: item.id,
        at: state::time_text(item.at),
        subject: item.subject,
        text: item.text,
        severity,
        severity_name: Severity::from_number(severity).name().to_owned(),
        position: item.position.map(i64::cast_unsigned),
        read_at: item.read_at.map(state::time_text),
        acknowledged_at: item.acknowledged_at.map(state::time_text),
        acknowledged_by: item.acknowledged_by,
    }
}
