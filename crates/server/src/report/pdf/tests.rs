//! Documents as their readers see them: through poppler's `pdftotext` and `pdfinfo`.

use std::process::Command;

use api::report::{Certificate, Column, Format, Order};
use api::trail::Checkpoint;
use serde_json::{Value, json};

use super::*;
use crate::report::spool::{Row, Spool, SpoolWriter};

const NOTE: &str = "belfry.example/acme\n120\nn5w8Yc1mU0p7lCqO2pYlq8s0d6r3o1bY0b1s7f7yQmA=\n\n— belfry.example/acme Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

fn certificate(columns: &[(&str, &str)], rows: u64) -> Certificate {
    Certificate {
        version: 1,
        organization: "Acme".into(),
        report_id: "r".into(),
        title: "Audit tracking".into(),
        description: "Who did what.".into(),
        run: "01jd".into(),
        format: Format::Pdf,
        by: "Ada (ada)".into(),
        at: "2026-11-21T14:02:11Z".into(),
        filter: "user.name: \"ada\"".into(),
        from: Some("2026-10-22T00:00:00Z".into()),
        to: None,
        order: Order::Desc,
        columns: columns
            .iter()
            .map(|(field, title)| Column { field: (*field).into(), title: (*title).into() })
            .collect(),
        rows,
        first_position: (rows > 0).then_some(0),
        last_position: rows.checked_sub(1),
        origin: "belfry.example/acme".into(),
        checkpoint: Checkpoint {
            size: 120,
            root: "n5w8Yc1mU0p7lCqO2pYlq8s0d6r3o1bY0b1s7f7yQmA=".into(),
            note: NOTE.into(),
            at: "2026-11-21T14:02:10Z".into(),
        },
        vkey: "belfry.example/acme+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".into(),
        verify: "Compare the hash.".into(),
        file: None,
    }
}

fn spool(rows: impl IntoIterator<Item = Vec<Value>>) -> Spool {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = SpoolWriter::new(folder.path()).unwrap();
    for (position, cells) in rows.into_iter().enumerate() {
        writer.push(&Row { position: position as u64, leaf_hash: String::new(), cells }).unwrap();
    }
    writer.finish().unwrap()
}

fn document(columns: &[(&str, &str)], rows: Vec<Vec<Value>>) -> Vec<u8> {
    let certificate = certificate(columns, rows.len() as u64);
    sheet(&certificate, &mut spool(rows), &|| false).unwrap()
}

/// What a tool of poppler says about the document.
fn tool(name: &str, arguments: &[&str], pdf: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pdf).unwrap();
    let mut command = Command::new(name);
    command.args(arguments).arg(file.path());
    if name == "pdftotext" {
        command.arg("-");
    }
    let output = command.output().unwrap_or_else(|error| panic!("{name} (poppler-utils) is needed: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(pdf: &[u8]) -> String {
    tool("pdftotext", &["-layout"], pdf)
}

/// Without the marks that poppler puts around text from right to left.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{200E}' | '\u{200F}')).collect()
}

#[test]
fn every_script_is_printed_and_found_again() {
    let names = [
        "Zoë Öztürk-Ďurišová",
        "Γιώργος Παπαδόπουλος",
        "Дмитрий Соколов",
        "محمد عبد الله الفارسي",
        "דוד כהן",
        "王小明",
        "結算伺服器",
        "山田 太郎",
        "カタカナ",
        "김민준",
        "Nguyễn Thị Hồng",
        "สมชาย",
        "Արամ",
        "გიორგი",
        "office fi fl",
    ];
    let mixed = "Server für Abrechnung 結算 خادم (prod)";
    let mut rows: Vec<Vec<Value>> = names.iter().map(|name| vec![json!(name)]).collect();
    rows.push(vec![json!(mixed)]);
    let pdf = document(&[("user.full_name", "Name")], rows);
    let text = bare(&text(&pdf));
    for name in names {
        assert!(text.contains(name), "{name} is not in:\n{text}");
    }
    for part in ["Server für Abrechnung 結算", "خادم", "prod"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let fonts = tool("pdffonts", &[], &pdf);
    assert!(
        fonts.lines().skip(2).all(|line| line.contains("yes yes yes")),
        "not all are embedded, cut and mapped:\n{fonts}"
    );
}

#[test]
fn what_deceives_or_has_no_letter_is_written_by_number() {
    let pdf = document(&[("message", "Message")], vec![vec![json!("a\u{202E}gpj.exe \u{0}x \u{E123} \u{200B}y 𓀀")]]);
    let text = text(&pdf);
    assert!(text.contains("a[U+202E]gpj.exe [U+0000]x [U+E123] [U+200B]y [U+13000]"), "{text}");
}

#[test]
fn the_cover_says_what_makes_it_evidence() {
    let text = text(&document(&[("user.name", "User")], vec![vec![json!("ada")]; 3]));
    for fact in [
        "Audit tracking",
        "Who did what.",
        "Acme",
        "Ada (ada)",
        "2026-11-21 14:02:11 UTC",
        "since 2026-10-22 00:00:00 UTC",
        "3, newest first",
        "0 to 2",
        "120 events, sealed 2026-11-21 14:02:10 UTC",
        "belfry.example/acme",
        "user.name: \"ada\"",
        "n5w8Yc1mU0p7lCqO2pYlq8s0d6r3o1bY0b1s7f7yQmA=",
        "Compare the hash.",
        "End of the report, 3 rows.",
        "Page 1 of 1",
        "belfry.example/acme+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(text.contains(fact), "{fact} is not in:\n{text}");
    }
}

#[test]
fn pages_are_counted_and_their_header_is_repeated() {
    let rows = (0..150).map(|index| vec![json!(format!("row-{index}-end")), json!("x")]).collect();
    let pdf = document(&[("user.name", "Column one"), ("message", "Column two")], rows);
    let pages: Vec<String> =
        text(&pdf).split('\u{c}').map(str::to_owned).filter(|page| !page.trim().is_empty()).collect();
    assert!(pages.len() > 3);
    let info = tool("pdfinfo", &[], &pdf);
    assert!(
        info.lines().any(|line| line.starts_with("Pages:") && line.ends_with(&format!(" {}", pages.len()))),
        "{info}"
    );
    for (index, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of {}", index + 1, pages.len())), "{page}");
        assert!(!page.contains("row-") || page.contains("Column one"), "no header on:\n{page}");
    }
    let all = pages.concat();
    for index in 0..150 {
        assert_eq!(all.matches(&format!("row-{index}-end")).count(), 1, "row {index}");
    }
}

#[test]
fn a_document_is_for_archives_and_screen_readers() {
    let pdf = document(&[("user.name", "User")], vec![vec![json!("ada")]]);
    let info = tool("pdfinfo", &[], &pdf);
    for line in ["Tagged:          yes", "Title:           Audit tracking", "Author:          Ada (ada)"] {
        assert!(info.contains(line), "{line} is not in:\n{info}");
    }
    let raw = String::from_utf8_lossy(&pdf);
    assert!(raw.contains("pdfaid:part>2<") && raw.contains("pdfuaid:part>1<"));
    let structure = tool("pdfinfo", &["-struct-text"], &pdf);
    for part in ["H1", "Table", "TH", "TD", "ada"] {
        assert!(structure.contains(part), "{part} is not in:\n{structure}");
    }
}

#[test]
fn nothing_found_says_so() {
    let text = text(&document(&[("user.name", "User")], vec![]));
    for part in ["No event matches", "All 120 events below the checkpoint were looked at", "How to check this report"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_huge_cell_is_cut_and_says_where_the_rest_is() {
    let cells = vec![json!("lorem ipsum ".repeat(5_000)), json!("beside"), json!("w".repeat(60_000))];
    let pdf = document(
        &[("message", "Message"), ("user.name", "User"), ("host.name", "Host")],
        vec![cells, vec![json!("after")]],
    );
    let text = text(&pdf).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("more characters in event 0)") || text.contains("more characters in"), "{text}");
    assert!(text.contains("after"));
    let info = tool("pdfinfo", &[], &pdf);
    let pages: usize = info.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap().trim().parse().unwrap();
    assert!((2..20).contains(&pages), "{pages} pages");
}

#[test]
fn many_columns_are_refused_in_words_and_thirty_still_print() {
    let names: Vec<String> = (0..100).map(|index| format!("labels.f{index}")).collect();
    let columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "Title")).collect();
    let error = sheet(&certificate(&columns, 0), &mut spool([]), &|| false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a pdf takes at most 30 columns, this report has 100; choose fewer, or take csv or json"
    );
    let columns = &columns[..COLUMNS_MAX];
    let pdf = document(columns, vec![vec![json!("value"); COLUMNS_MAX]]);
    assert_eq!(text(&pdf).split_whitespace().collect::<String>().matches("value").count(), COLUMNS_MAX);
}

#[test]
fn a_title_is_text_and_nothing_else() {
    let evil = "=cmd|' /C calc'!A0 <b>\u{202E}%)\\(";
    let text = text(&document(&[("user.name", evil)], vec![vec![json!("ada")]]));
    assert!(text.contains("<b>[U+202E]%)\\("), "{text}");
}

#[test]
fn it_can_be_called_off() {
    let rows = (0..2_000).map(|index| vec![json!(index.to_string())]).collect::<Vec<_>>();
    let certificate = certificate(&[("user.name", "User")], 2_000);
    let error = sheet(&certificate, &mut spool(rows), &|| true).unwrap_err();
    assert!(matches!(error, PdfError::Cancelled));
}

#[test]
fn a_summary_holds_all_there_is() {
    let facts = EventFacts {
        organization: "Acme".into(),
        position: 10_412,
        title: "Password viewed".into(),
        sentence: "Ada viewed the password of root.".into(),
        at: "2026-11-21T14:01:58.112345Z".into(),
        severity: "Medium (50)".into(),
        outcome: "Success".into(),
        action: "credential.password.viewed".into(),
        groups: vec![
            Group { title: "Who", fields: vec![("User".into(), "محمد".into(), false)] },
            Group { title: "Why", fields: vec![] },
        ],
        changes: vec![Change { field: "hold".into(), old: "3600".into(), new: "600".into() }],
        record: Some("{\"raw\":\"".to_owned() + &"phrase ".repeat(3_000) + "\"}"),
        mapping: Some("vault@1".into()),
        proof: Proof {
            leaf_hash: "leafleafleaf".into(),
            tree_size: 12_482_113,
            path: vec!["pathhash0".into(), "pathhash1".into()],
            root: "rootroot".into(),
            note: NOTE.into(),
            vkey: "vkeyvkey".into(),
        },
        by: "bo".into(),
        taken_at: "2026-11-21T15:00:00Z".parse().unwrap(),
    };
    let text = bare(&text(&summary(&facts, &|| false).unwrap()));
    for part in [
        "Password viewed",
        "Ada viewed the password of root.",
        "2026-11-21 14:01:58.112345 UTC",
        "Medium (50)",
        "10,412",
        "محمد",
        "Who",
        "3600",
        "600",
        "leafleafleaf",
        "pathhash1",
        "vkeyvkey",
        "rootroot",
        "vault@1",
        "taken by bo",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(!text.contains("Why"), "an empty group has no heading");
    assert_eq!(text.matches("phrase").count(), 3_000, "the record is whole");
}
