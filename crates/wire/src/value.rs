//! The values of a record while it is mapped: borrowed from the record, from the program, or from a [`Heap`] that is
//! thrown away as a whole. Copying one costs nothing.

use std::borrow::Cow;
use std::cell::Cell;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

/// A value: what JSON knows. Whole numbers that a double can't hold are texts, so that no digit is lost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Val<'e> {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(&'e str),
    List(&'e [Val<'e>]),
    /// In the order in which they were written; of several with one name the last counts.
    Object(&'e [(&'e str, Val<'e>)]),
}

/// Whole numbers up to here are exact in a double.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl<'e> Val<'e> {
    /// The member of that name; null where there is none, and where this is no object.
    #[inline]
    pub fn get(self, key: &str) -> Val<'e> {
        match self {
            Val::Object(members) => {
                members.iter().rev().find(|(name, _)| *name == key).map_or(Val::Null, |(_, value)| *value)
            }
            _ => Val::Null,
        }
    }

    /// The item at that place; negative places count from the end.
    pub fn at(self, index: i64) -> Val<'e> {
        let Val::List(items) = self else { return Val::Null };
        let index = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => items.len().checked_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
        };
        index.and_then(|index| items.get(index)).copied().unwrap_or_default()
    }

    pub fn is_null(self) -> bool {
        matches!(self, Val::Null)
    }

    /// Everything but null and false.
    pub fn is_truthy(self) -> bool {
        !matches!(self, Val::Null | Val::Bool(false))
    }

    /// The text, when this is one.
    pub fn as_text(self) -> Option<&'e str> {
        match self {
            Val::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar; `None` for what says nothing: null, empty, `-`, `null`, `(null)`, `<nil>`, `none`, `N/A`,
    /// lists and objects.
    pub fn says(self, heap: &'e Heap) -> Option<&'e str> {
        match self {
            Val::Null | Val::List(_) | Val::Object(_) => None,
            Val::Text(text) => {
                let text = text.trim();
                let nothing = match text.len() {
                    0 => true,
                    1 => text == "-",
                    2..=6 => {
                        const NOTHING: [&str; 7] = ["null", "(null)", "<nil>", "none", "n/a", "nil", "<null>"];
                        NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word))
                    }
                    _ => false,
                };
                (!nothing).then_some(text)
            }
            Val::Bool(true) => Some("true"),
            Val::Bool(false) => Some("false"),
            Val::Number(number) => Some(heap.text(&number_text(number))),
        }
    }

    /// The same value for an event; `None` for what is null or empty.
    pub fn to_event(self) -> Option<event::Value<'e>> {
        Some(match self {
            Val::Null => return None,
            Val::Bool(bool) => event::Value::Bool(bool),
            Val::Number(number) if number.is_finite() => event::Value::Number(number),
            Val::Number(_) => return None,
            Val::Text("") => return None,
            Val::Text(text) => event::Value::String(without_nul(text)),
            Val::List(items) => {
                let items: Vec<_> = items.iter().filter_map(|item| item.to_event()).collect();
                if items.is_empty() {
                    return None;
                }
                event::Value::Array(items)
            }
            Val::Object(members) => {
                let members: event::Object<'e> =
                    members.iter().filter_map(|(name, value)| Some((without_nul(name), value.to_event()?))).collect();
                if members.is_empty() {
                    return None;
                }
                event::Value::Object(members)
            }
        })
    }
}

/// An event holds no NUL; the sign for it stands in its place.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        Cow::Owned(text.replace('\0', "\u{2400}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A number as people write it: whole ones without a point.
pub(crate) fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() <= EXACT_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
        return (number as i64).to_string();
    }
    number.to_string()
}

/// What a usual record and its program take, so that it is asked for once.
const FIRST_BYTES: usize = 12 << 10;

/// Where the texts, lists and objects lie that are made while a record is mapped. Bounded: when it is full, it gives
/// empty ones, and [`Heap::is_full`] says so.
pub struct Heap {
    bump: Bump,
    left: Cell<usize>,
}

impl Heap {
    /// A heap for at most `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { bump: Bump::with_capacity(FIRST_BYTES), left: Cell::new(bytes_max) }
    }

    /// Whether more was asked for than there is.
    pub fn is_full(&self) -> bool {
        self.left.get() == 0
    }

    /// Bytes that may still be kept.
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// Whether a text of so many bytes still fits: asked before one is made that may be larger than all it is made of.
    /// When it doesn't, the heap is full.
    pub fn has_room(&self, bytes: usize) -> bool {
        let fits = self.left.get() > bytes;
        if !fits {
            self.left.set(0);
        }
        fits
    }

    fn take(&self, bytes: usize) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(bytes.max(1)));
        left > bytes
    }

    /// Keeps a text.
    pub fn text(&self, text: &str) -> &str {
        if self.take(text.len()) { self.bump.alloc_str(text) } else { "" }
    }

    /// Keeps a text unless it is borrowed anyhow.
    pub fn keep<'e>(&'e self, text: Cow<'e, str>) -> &'e str {
        match text {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => self.text(&text),
        }
    }

    pub fn list<'e>(&'e self, items: impl IntoIterator<Item = Val<'e>>) -> Val<'e> {
        let mut list = BumpVec::new_in(&self.bump);
        for item in items {
            if !self.take(size_of::<Val<'_>>()) {
                break;
            }
            list.push(item);
        }
        Val::List(list.into_bump_slice())
    }

    pub fn object<'e>(&'e self, members: impl IntoIterator<Item = (&'e str, Val<'e>)>) -> Val<'e> {
        let mut object = self.members();
        for (name, value) in members {
            self.push(&mut object, name, value);
        }
        Val::Object(object.into_bump_slice())
    }

    /// Room for `count` values, all null.
    pub(crate) fn slots<'e>(&'e self, count: usize) -> &'e mut [Val<'e>] {
        self.bump.alloc_slice_fill_copy(count, Val::Null)
    }

    /// An object that is being filled.
    pub(crate) fn members<'e>(&'e self) -> BumpVec<'e, (&'e str, Val<'e>)> {
        BumpVec::new_in(&self.bump)
    }

    pub(crate) fn push<'e>(&'e self, object: &mut BumpVec<'e, (&'e str, Val<'e>)>, name: &'e str, value: Val<'e>) {
        if self.take(size_of::<(&str, Val<'_>)>()) {
            object.push((name, value));
        }
    }

    pub(crate) fn items<'e>(&'e self) -> BumpVec<'e, Val<'e>> {
        BumpVec::new_in(&self.bump)
    }

    pub(crate) fn push_item<'e>(&'e self, list: &mut BumpVec<'e, Val<'e>>, item: Val<'e>) {
        if self.take(size_of::<Val<'_>>()) {
            list.push(item);
        }
    }
}
