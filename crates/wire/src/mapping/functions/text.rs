//! Functions on texts, lists and objects.

use super::super::expr::{Env, Parts};
use super::{arg, words};
use crate::decode::{json as read_json, kv};
use crate::value::{Heap, Val};

/// The text as it is, blanks included; a number or a truth value in words.
pub(crate) fn of<'e>(value: Val<'e>, heap: &'e Heap) -> Option<&'e str> {
    match value {
        Val::Text(text) => Some(text),
        value => value.says(heap),
    }
}

pub(super) fn any<'e>(args: &[Val<'e>], parts: Parts) -> Val<'e> {
    let Val::Text(text) = arg(args, 0) else { return Val::Bool(false) };
    let one = |part: &Val<'e>| part.as_text().is_some_and(|part| parts.fits(text, part));
    Val::Bool(match arg(args, 1) {
        Val::List(all) => all.iter().any(one),
        part => one(&part),
    })
}

pub(super) fn replace<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    match (arg(args, 0), arg(args, 1), arg(args, 2)) {
        (Val::Text(text), Val::Text(part), Val::Text(with)) if !part.is_empty() && text.contains(part) => {
            let found = text.matches(part).count();
            let bytes = text.len() - found * part.len() + found.saturating_mul(with.len());
            if env.heap.has_room(bytes) { Val::Text(env.heap.text(&text.replace(part, with))) } else { Val::Null }
        }
        (value, ..) => value,
    }
}

pub(super) fn part<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let (Some(text), Val::Text(separator), Val::Number(index)) =
        (arg(args, 0).says(env.heap), arg(args, 1), arg(args, 2))
    else {
        return Val::Null;
    };
    if separator.is_empty() {
        return Val::Null;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a place beyond i64 is beyond every text")]
    let index = index as i64;
    let piece = match usize::try_from(index) {
        Ok(index) => text.split(separator).nth(index),
        Err(_) => text.rsplit(separator).nth(usize::try_from(-(index + 1)).unwrap_or(usize::MAX)),
    };
    piece.map(str::trim).filter(|piece| !piece.is_empty()).map_or(Val::Null, Val::Text)
}

pub(super) fn after<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let (Some(text), Val::Text(mark)) = (arg(args, 0).says(env.heap), arg(args, 1)) else { return Val::Null };
    let rest = text.split_once(mark).map(|(_, rest)| rest.trim());
    rest.filter(|rest| !rest.is_empty()).map_or(Val::Null, Val::Text)
}

pub(super) fn truncate<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let (Some(text), Val::Number(characters)) = (of(arg(args, 0), env.heap), arg(args, 1)) else { return Val::Null };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` keeps within the bounds")]
    let end = text.char_indices().nth(characters as usize).map_or(text.len(), |(at, _)| at);
    Val::Text(text.get(..end).unwrap_or(text))
}

pub(super) fn list<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let texts = match arg(args, 0) {
        Val::List(items) => env.heap.list(items.iter().filter_map(|item| item.says(env.heap)).map(Val::Text)),
        value => {
            let text = value.says(env.heap).unwrap_or_default();
            env.heap.list(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(Val::Text))
        }
    };
    if texts == Val::List(&[]) { Val::Null } else { texts }
}

pub(super) fn joined<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let Val::Text(separator) = arg(args, 1) else { return Val::Null };
    match arg(args, 0) {
        Val::List(items) => {
            let mut texts = items.iter().filter_map(|item| item.says(env.heap));
            let Some(first) = texts.next() else { return Val::Null };
            let Some(second) = texts.next() else { return Val::Text(first) };
            let mut all = [first, separator, second].concat();
            for text in texts {
                if !env.heap.has_room(all.len() + separator.len() + text.len()) {
                    return Val::Null;
                }
                all.push_str(separator);
                all.push_str(text);
            }
            Val::Text(env.heap.text(&all))
        }
        value => value.says(env.heap).map_or(Val::Null, Val::Text),
    }
}

pub(super) fn named<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let (Val::List(items), Val::Text(name), Val::Text(value)) = (arg(args, 0), arg(args, 1), arg(args, 2)) else {
        return Val::Object(&[]);
    };
    env.heap.object(items.iter().filter_map(|item| Some((item.get(name).says(env.heap)?, item.get(value)))))
}

pub(super) fn pairs<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let Some(text) = arg(args, 0).says(env.heap) else { return Val::Object(&[]) };
    // Of several pairs with one name the first counts: what follows may have been written by somebody else.
    env.heap.object(kv::pairs(text).pairs.into_iter().rev().map(|(name, value)| (name, Val::Text(value))))
}

pub(super) fn json<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    match arg(args, 0) {
        value @ (Val::Object(_) | Val::List(_)) => value,
        Val::Text(text) if text.trim_start().starts_with(['{', '[']) => {
            read_json::read(text.trim(), env.heap).unwrap_or_default()
        }
        _ => Val::Null,
    }
}

pub(super) fn hex<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let Some(digits) = arg(args, 0).says(env.heap) else { return Val::Null };
    let digits = digits.as_bytes();
    if digits.len() < 2 || digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Val::Null;
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => value(high) << 4 | value(low),
            _ => 0,
        })
        .map(|byte| if byte == 0 { b' ' } else { byte })
        .collect();
    match std::str::from_utf8(&bytes) {
        Ok(text) => Val::Text(env.heap.text(text.trim_end())),
        Err(_) => Val::Null,
    }
}

pub(super) fn labelled<'e>(env: &Env<'e>, args: &[Val<'e>]) -> Val<'e> {
    let Val::Object(record) = arg(args, 0) else { return Val::Object(&[]) };
    env.heap.object(record.iter().filter_map(|(key, label)| {
        let base = key.strip_suffix("Label").filter(|base| !base.is_empty())?;
        let name = words::slug(label.says(env.heap)?)?.replace('.', "_");
        let value = arg(args, 0).get(base).says(env.heap)?;
        Some((env.heap.text(&name), Val::Text(value)))
    }))
}
