//! The kinds of reason for which records of a source were set aside.
//!
//! A reason names the value that is wrong and the byte where it stands, so nearly every one is different. Without
//! numbers and quoted values few are left, and those are the groups. A source has at most [`KINDS_MAX`]: a mapping that
//! writes a name into each of its reasons would else make a group for every record.

use sha2::{Digest, Sha256};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

use crate::hash::hex;

/// Kinds of one source. What comes after is [`OTHER`].
pub const KINDS_MAX: i64 = 200;
/// The kind of what is of too many kinds.
pub const OTHER: &str = "other reasons";
/// The longest kind, in characters.
const KIND_CHARS_MAX: usize = 160;
/// Characters of the newest record that a list shows.
const EXAMPLE_CHARS: i64 = 400;

/// The open records of one kind.
#[derive(Debug, Clone, FromRow)]
pub struct Group {
    pub id: String,
    pub source: String,
    pub code: String,
    pub kind: String,
    pub reason: String,
    pub field: Option<String>,
    pub records: i64,
    pub first_at: i64,
    pub last_at: i64,
    pub peers: i64,
    pub peer: Option<String>,
    pub newest: i64,
    pub example: Vec<u8>,
}

/// Who sent records of a group.
#[derive(Debug, Clone, FromRow)]
pub struct Sender {
    pub peer: Option<String>,
    pub records: i64,
    pub last_at: i64,
}

/// What a reason has in common with others of its kind: `#` stands for numbers, `…` for quoted values.
pub fn kind_of(reason: &str) -> String {
    let mut kind = String::new();
    let mut chars = reason.chars().peekable();
    let mut before = ' ';
    let mut left = KIND_CHARS_MAX;
    while let Some(c) = chars.next() {
        if left == 0 {
            kind.push('…');
            break;
        }
        left -= 1;
        // An apostrophe inside a word begins no quotation.
        if matches!(c, '"' | '`') || (c == '\'' && !before.is_alphanumeric()) {
            let mut escaped = false;
            for inner in chars.by_ref() {
                match inner {
                    '\\' if !escaped => escaped = true,
                    end if end == c && !escaped => break,
                    _ => escaped = false,
                }
            }
            kind.push('…');
        } else if c.is_ascii_digit() {
            while chars.peek().is_some_and(char::is_ascii_digit) {
                chars.next();
            }
            // A time, an address, a version: one number after the other is one.
            let joined = kind.len() >= 2 && kind.ends_with([':', '.', '-', '/', ',', 'T']) && {
                let mut last = kind.chars().rev();
                last.next();
                last.next() == Some('#')
            };
            if joined {
                kind.pop();
            } else {
                kind.push('#');
            }
        } else if c.is_control() || c.is_whitespace() {
            if !kind.ends_with(' ') {
                kind.push(' ');
            }
        } else {
            kind.push(c);
        }
        before = c;
    }
    kind.trim().to_owned()
}

/// The id of a group. The same for the same kind, so that links to it stay good.
fn id_of(source: &str, code: &str, kind: &str) -> String {
    let hash = Sha256::digest(format!("{source}\0{code}\0{kind}").as_bytes());
    hex(&hash[..8])
}

/// The group that a record belongs to; made where it is new.
pub async fn of(connection: &mut SqliteConnection, source: &str, code: &str, reason: &str) -> sqlx::Result<String> {
    let kind = kind_of(reason);
    let id = id_of(source, code, &kind);
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM set_aside_groups WHERE id = $1")
        .bind(&id)
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_some() {
        return Ok(id);
    }
    if count(connection, source).await? >= KINDS_MAX {
        // Groups that have nothing open any more make room.
        sqlx::query(
            "DELETE FROM set_aside_groups WHERE source = $1 AND NOT EXISTS \
             (SELECT 1 FROM set_aside WHERE state = 'open' AND group_id = set_aside_groups.id)",
        )
        .bind(source)
        .execute(&mut *connection)
        .await?;
        if count(connection, source).await? >= KINDS_MAX {
            return add(connection, source, "other", OTHER).await;
        }
    }
    add(connection, source, code, &kind).await
}

async fn count(connection: &mut SqliteConnection, source: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM set_aside_groups WHERE source = $1")
        .bind(source)
        .fetch_one(connection)
        .await
}

async fn add(connection: &mut SqliteConnection, source: &str, code: &str, kind: &str) -> sqlx::Result<String> {
    let id = id_of(source, code, kind);
    sqlx::query(
        "INSERT INTO set_aside_groups (id, source, code, kind) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&id)
    .bind(source)
    .bind(code)
    .bind(kind)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Finds the groups of open records that were set aside before there were groups.
pub async fn find_all(pool: &SqlitePool) -> sqlx::Result<()> {
    loop {
        let mut transaction = super::begin_write(pool).await?;
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT id, source, code, reason FROM set_aside WHERE state = 'open' AND group_id = '' LIMIT 1000",
        )
        .fetch_all(&mut *transaction)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        for (id, source, code, reason) in rows {
            let group = of(&mut transaction, &source, &code, &reason).await?;
            sqlx::query("UPDATE set_aside SET group_id = $2 WHERE id = $1")
                .bind(id)
                .bind(group)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
    }
}

/// A page of the groups that have open records, the largest first; of all sources, or of one, or one group alone.
pub async fn page(
    pool: &SqlitePool,
    source: Option<&str>,
    id: Option<&str>,
    offset: u32,
    limit: u32,
) -> sqlx::Result<Vec<Group>> {
    let one = if id.is_some() { "AND group_id = $2" } else { "" };
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT g.id, g.source, g.code, g.kind, s.reason, s.field, c.records, c.first_at, c.last_at, c.peers, c.peer, \
                c.newest, substr(s.record, 1, $5) AS example \
         FROM (SELECT group_id, count(*) AS records, min(received_at) AS first_at, max(received_at) AS last_at, \
                      count(DISTINCT peer) AS peers, min(peer) AS peer, max(id) AS newest \
               FROM set_aside WHERE state = 'open' {one} GROUP BY group_id) AS c \
         JOIN set_aside_groups AS g ON g.id = c.group_id JOIN set_aside AS s ON s.id = c.newest \
         WHERE ($1 IS NULL OR g.source = $1) ORDER BY c.records DESC, g.id LIMIT $3 OFFSET $4"
    )))
    .bind(source)
    .bind(id)
    .bind(limit)
    .bind(offset)
    .bind(EXAMPLE_CHARS)
    .fetch_all(pool)
    .await
}

/// The ten addresses that sent most of a group.
pub async fn senders(pool: &SqlitePool, id: &str) -> sqlx::Result<Vec<Sender>> {
    sqlx::query_as(
        "SELECT peer, count(*) AS records, max(received_at) AS last_at FROM set_aside \
         WHERE state = 'open' AND group_id = $1 GROUP BY peer ORDER BY records DESC LIMIT 10",
    )
    .bind(id)
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_one_kind_are_one() {
        for (reason, kind) in [
            ("expected a value, found 'x' at byte 17", "expected a value, found … at byte #"),
            ("source.ip must be an IP address, is \"10.0.0.300\"", "source.ip must be an IP address, is …"),
            ("is \"a \\\" quote\" and more", "is … and more"),
            ("can't be read at 2026-11-20T08:00:00Z, it isn't", "can't be read at #Z, it isn't"),
            ("the record has 70,123 bytes, more than 65,535", "the record has # bytes, more than #"),
            ("from 10.2.3.4:5512 port 22", "from # port #"),
            ("an open \"quote", "an open …"),
            ("two\n lines\u{0}", "two lines"),
            ("", ""),
        ] {
            assert_eq!(kind_of(reason), kind, "{reason}");
        }
        assert!(kind_of(&"long ".repeat(1_000)).chars().count() <= KIND_CHARS_MAX + 1);
    }

    #[tokio::test]
    async fn a_source_has_a_bounded_number_of_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let pool = crate::state::open(&dir.path().join("state.sqlite")).await.unwrap();
        let word = |n: u32| n.to_string().chars().map(|c| (b'a' + (c as u8 - b'0')) as char).collect::<String>();
        let reasons: Vec<String> = (0..400).map(|n| format!("the mapping says {}", word(n))).collect();
        let new: Vec<_> = reasons
            .iter()
            .map(|reason| super::super::set_aside::New {
                source: "door",
                received_at: 1,
                peer: None,
                code: "refused",
                reason,
                field: None,
                record: b"x",
                batch: None,
            })
            .collect();
        let ids = super::super::set_aside::add(&pool, &new).await.unwrap();
        let groups = page(&pool, Some("door"), None, 0, 500).await.unwrap();
        assert_eq!(groups.len() as i64, KINDS_MAX + 1);
        assert_eq!((groups[0].kind.as_str(), groups[0].records), (OTHER, 200));
        // What is settled makes room for new kinds.
        super::super::set_aside::settle(&pool, &ids, "discarded", 2, "ada", Some("a test")).await.unwrap();
        super::super::set_aside::add(&pool, &new[300..301]).await.unwrap();
        let groups = page(&pool, Some("door"), None, 0, 500).await.unwrap();
        assert_eq!((groups.len(), groups[0].kind.as_str()), (1, reasons[300].as_str()));
    }
}
