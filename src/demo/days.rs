//! Sixty days of that company, from a seed: shifts, weekends, mishaps, and one incident in the last night.

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::json;

use super::company::{COMMANDS, HOSTS, PEOPLE, Person, RECORDS, Shift, Team, secret_paths, victim};
use super::products::{self, Record};

/// All records of `days` days that end at `end`, in the order of their times.
pub fn history(seed: u64, end: Timestamp, days: i64) -> Vec<Record> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut records = Vec::new();
    let midnight =
        end.round(jiff::TimestampRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc)).unwrap_or(end);
    let hour_of_day = midnight.as_second().rem_euclid(86_400) / 3_600;
    let today = plus(midnight, -hour_of_day * 3_600);
    for day in (0..=days).rev() {
        one_day(&mut random, plus(today, -day * 86_400), &mut records);
    }
    incident(&mut random, plus(today, -86_400 + 2 * 3_600 + 640), &mut records);
    records.retain(|record| record.at < end && record.at >= plus(end, -days * 86_400));
    records.sort_by_key(|record| record.at);
    records
}

/// What one person does within a few minutes: the unit of both the past and the live trickle.
pub fn activity(random: &mut fastrand::Rng, who: &Person, at: Timestamp, records: &mut Vec<Record>) {
    let address = desk_of(who);
    let host = HOSTS[random.usize(..HOSTS.len())];
    let paths = secret_paths(who.team);
    match random.u32(..100) {
        0..30 => {
            let path = paths[random.usize(..paths.len())];
            records.push(products::vault(random, at, who, &address, "read", path, None));
        }
        30..33 => {
            let path = secret_paths(Team::Security)[2];
            if who.team != Team::Security {
                records.push(products::vault(
                    random,
                    at,
                    who,
                    &address,
                    "read",
                    path,
                    Some("1 error occurred:\n\t* permission denied\n\n"),
                ));
            }
        }
        33..38 => {
            let path = paths[random.usize(..paths.len())];
            records.push(products::vault(random, at, who, &address, "update", path, None));
        }
        38..56 if !matches!(who.team, Team::Finance) => {
            let minutes = 2 + i64::from(random.u32(..50));
            records.extend(products::teleport_session(random, at, who, &address, host, minutes));
            let process = 1_000 + random.u32(..60_000);
            let login = format!(
                "Accepted publickey for {} from {address} port {} ssh2: ED25519 SHA256:{}",
                who.login,
                40_000 + random.u32(..20_000),
                "k9uZ2rWb1cV7sQ0pLx4mN8tYfDhGjEaR"
            );
            records.push(products::sshd(plus(at, 2), host, process, &login));
            for step in 0..random.i64(0..4) {
                let command = COMMANDS[random.usize(..COMMANDS.len())];
                records.push(products::sudo(plus(at, 20 + step * 35), host, who, command));
            }
        }
        56..76 => {
            let (uid, title) = RECORDS[random.usize(..RECORDS.len())];
            let kind = ["open_record", "record_update", "copy_password", "autofill", "login"][random.usize(..5)];
            records.push(products::keeper(
                at,
                who,
                &address,
                kind,
                json!({ "record_uid": uid, "record_title": title }),
            ));
        }
        76..86 => {
            let reason = [
                "planned maintenance",
                "incident INC-2291",
                "vendor call",
                "restore test",
                "Passwort vergessen, Kunde wartet",
            ][random.usize(..5)];
            records.push(products::portal_view(random, at, who, &address, host, reason));
        }
        86..90 => {
            let process = 1_000 + random.u32(..60_000);
            let text =
                format!("Failed password for {} from {address} port {} ssh2", who.login, 40_000 + random.u32(..20_000));
            records.push(products::sshd(at, host, process, &text));
        }
        90..92 if who.team == Team::Platform => {
            records.push(products::vault(random, at, who, &address, "update", "pki/issue/internal", None));
        }
        92..94 if who.team == Team::Security => {
            records.push(products::vault(random, at, who, &address, "update", "sys/policies/acl/team-finance", None));
        }
        _ => records.push(products::teleport_login(random, at, who, &address, true)),
    }
}

fn one_day(random: &mut fastrand::Rng, midnight: Timestamp, records: &mut Vec<Record>) {
    // 1970-01-01 was a Thursday.
    let weekday = (midnight.as_second() / 86_400 + 3).rem_euclid(7);
    let weekend = weekday >= 5;
    for who in PEOPLE {
        let on_call = matches!(who.shift, Shift::Night) || who.login == "ada.moreau";
        if (weekend && !on_call) || random.u32(..100) < 8 {
            continue;
        }
        let hours = who.shift.hours();
        let start = i64::from(hours.start) * 3_600 + random.i64(0..2_400);
        let address = desk_of(who);
        records.push(products::teleport_login(random, plus(midnight, start), who, &address, true));
        records.push(products::vault(
            random,
            plus(midnight, start + 40),
            who,
            &address,
            "update",
            &format!("auth/ldap/login/{}", who.login),
            None,
        ));
        let busy = if weekend { 6 } else { 22 };
        let length = i64::from(hours.end - hours.start) * 3_600;
        for _ in 0..random.u32(busy / 2..busy) {
            let at = plus(midnight, start + 60 + random.i64(0..length));
            activity(random, who, at, records);
        }
    }
    // Rotation runs every night; now and then one needs a second try.
    for (index, host) in HOSTS.iter().enumerate().filter(|(index, _)| (index + weekday as usize).is_multiple_of(4)) {
        let at = plus(midnight, 3 * 3_600 + index as i64 * 47);
        if random.u32(..30) == 0 {
            records.push(products::rotation(random, at, host, "root", 1, Some("the host did not answer within 30 s")));
            records.push(products::rotation(random, plus(at, 300), host, "root", 2, None));
        } else {
            records.push(products::rotation(random, at, host, "root", 1, None));
        }
    }
    // The internet knocks at the bastions.
    for _ in 0..random.u32(20..60) {
        let at = plus(midnight, random.i64(0..86_400));
        let name = ["admin", "oracle", "test", "pi", "ubuntu"][random.usize(..5)];
        let address = format!("203.0.113.{}", random.u8(1..250));
        let text = format!("Invalid user {name} from {address} port {}", 30_000 + random.u32(..30_000));
        records.push(products::sshd(
            at,
            ["bastion-1", "bastion-2"][random.usize(..2)],
            1_000 + random.u32(..60_000),
            &text,
        ));
    }
}

/// A night login from where the account never was, a burst of password views, a rotation that fails, and a recording
/// that is not what it was.
fn incident(random: &mut fastrand::Rng, at: Timestamp, records: &mut Vec<Record>) {
    let who = victim();
    let address = "198.51.100.77";
    for attempt in 0..4 {
        records.push(products::teleport_login(random, plus(at, attempt * 9), who, address, false));
    }
    records.push(products::teleport_login(random, plus(at, 48), who, address, true));
    records.push(products::keeper(
        plus(at, 95),
        who,
        address,
        "login",
        json!({ "geo_location": "Recife, Pernambuco, BR" }),
    ));
    for view in 0..38 {
        let (uid, title) = RECORDS[random.usize(..RECORDS.len())];
        let more = json!({ "record_uid": uid, "record_title": title, "geo_location": "Recife, Pernambuco, BR" });
        records.push(products::keeper(plus(at, 140 + view * 9), who, address, "open_record", more));
    }
    let [start, end] = products::teleport_session(random, plus(at, 620), who, address, "erp-1", 14);
    let session =
        start.line.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("unknown").to_owned();
    records.extend([start, end]);
    records.push(products::sudo(plus(at, 700), "erp-1", who, "/usr/bin/mysqldump --all-databases"));
    records.push(products::rotation(
        random,
        plus(at, 1_900),
        "erp-1",
        "root",
        1,
        Some("the account's password is not the one on file"),
    ));
    records.push(products::rotation(
        random,
        plus(at, 2_200),
        "erp-1",
        "root",
        2,
        Some("the account's password is not the one on file"),
    ));
    records.push(products::recording_modified(plus(at, 3_600), &session, "bastion-1", who));
}

fn desk_of(who: &Person) -> String {
    format!("10.20.{}.{}", who.desk, 20 + u32::from(who.desk) % 60)
}

fn plus(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let end: Timestamp = "2026-11-21T14:00:00Z".parse().unwrap();
        let (one, other) = (history(7, end, 60), history(7, end, 60));
        assert_eq!(one.len(), other.len());
        assert!(one.iter().zip(&other).all(|(a, b)| a.line == b.line));
        assert!(one.len() > 10_000, "{}", one.len());
        assert!(one.iter().any(|record| record.line.contains("recording.modified")));
        assert!(one.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
