//! Sets of documents within a stretch of a segment.

/// A stretch of documents of a segment, `start..end`; both are multiples of 64, but for the end of
/// the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Window {
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A set of documents of a [`Window`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    start: u32,
    len: u32,
    words: Vec<u64>,
}

impl Bits {
    pub(crate) fn none(window: Window) -> Self {
        Self { start: window.start, len: window.end - window.start, words: vec![0; window.len().div_ceil(64)] }
    }

    pub(crate) fn all(window: Window) -> Self {
        let mut bits =
            Self { start: window.start, len: window.end - window.start, words: vec![!0; window.len().div_ceil(64)] };
        bits.trim();
        bits
    }

    /// Clears what lies behind the end.
    fn trim(&mut self) {
        let rest = self.len % 64;
        if rest != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << rest) - 1;
        }
    }

    fn end(&self) -> u32 {
        self.start + self.len
    }

    #[inline]
    pub(crate) fn insert(&mut self, doc: u32) {
        let at = doc.wrapping_sub(self.start) as usize;
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, doc: u32) {
        let at = doc.wrapping_sub(self.start) as usize;
        if let Some(word) = self.words.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    #[inline]
    pub(crate) fn contains(&self, doc: u32) -> bool {
        let at = doc.wrapping_sub(self.start) as usize;
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many lie in `first..end`.
    pub(crate) fn count_in(&self, first: u32, end: u32) -> u64 {
        let (first, end) =
            (first.clamp(self.start, self.end()) - self.start, end.clamp(self.start, self.end()) - self.start);
        if first >= end {
            return 0;
        }
        let (low, high) = ((first / 64) as usize, ((end - 1) / 64) as usize);
        let mut count = 0;
        for (at, word) in self.words.iter().enumerate().take(high + 1).skip(low) {
            let mut word = *word;
            if at == low {
                word &= !0 << (first % 64);
            }
            if at == high {
                word &= !0 >> (63 - (end - 1) % 64);
            }
            count += u64::from(word.count_ones());
        }
        count
    }

    pub(crate) fn and(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(crate) fn or(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub(crate) fn and_not(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    pub(crate) fn not(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.trim();
    }

    /// The first document of the set that is not before `doc`.
    #[inline]
    pub(crate) fn next(&self, doc: u32) -> Option<u32> {
        if doc >= self.end() {
            return None;
        }
        let at = doc.saturating_sub(self.start);
        let mut index = (at / 64) as usize;
        let mut word = self.words.get(index)? & (!0 << (at % 64));
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a window holds fewer than 2^32 documents")]
        Some(self.start + (index * 64) as u32 + word.trailing_zeros())
    }

    /// The documents from the first to the last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(move |(index, word)| {
            #[expect(clippy::cast_possible_truncation, reason = "a window holds fewer than 2^32 documents")]
            let low = self.start + (index * 64) as u32;
            let mut word = *word;
            std::iter::from_fn(move || {
                if word == 0 {
                    return None;
                }
                let bit = word.trailing_zeros();
                word &= word - 1;
                Some(low + bit)
            })
        })
    }

    /// The documents in `first..end` from the first to the last; `first` is a multiple of 64.
    #[inline]
    pub(crate) fn each_in(&self, first: u32, end: u32, mut f: impl FnMut(u32)) {
        let index = (first.saturating_sub(self.start) / 64) as usize;
        let words = (end.saturating_sub(first)).div_ceil(64) as usize;
        let mut low = first;
        for word in self.words.iter().skip(index).take(words) {
            let mut word = *word;
            while word != 0 {
                f(low + word.trailing_zeros());
                word &= word - 1;
            }
            low = low.saturating_add(64);
        }
    }

    /// The documents from the last to the first.
    pub(crate) fn iter_back(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().rev().flat_map(move |(index, word)| {
            #[expect(clippy::cast_possible_truncation, reason = "a window holds fewer than 2^32 documents")]
            let low = self.start + (index * 64) as u32;
            let mut word = *word;
            std::iter::from_fn(move || {
                if word == 0 {
                    return None;
                }
                let bit = 63 - word.leading_zeros();
                word &= !(1 << bit);
                Some(low + bit)
            })
        })
    }

    /// The part of this set that lies in `window`, which must begin at a multiple of 64 of it.
    pub(crate) fn cut(&self, window: Window) -> Self {
        let first = ((window.start - self.start) / 64) as usize;
        let words = self.words.iter().skip(first).take(window.len().div_ceil(64)).copied().collect();
        let mut bits = Self { start: window.start, len: window.end - window.start, words };
        bits.trim();
        bits
    }
}

/// What a filter says of the documents of a window, as far as the index can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    /// These it picks.
    pub(crate) sure: Bits,
    /// These it may pick: the sure ones and those of which only the event itself can tell. None
    /// when there is no doubt.
    pub(crate) possible: Option<Bits>,
}

impl Marks {
    pub(crate) fn exact(sure: Bits) -> Self {
        Self { sure, possible: None }
    }

    pub(crate) fn none(window: Window) -> Self {
        Self::exact(Bits::none(window))
    }

    pub(crate) fn possible(&self) -> &Bits {
        self.possible.as_ref().unwrap_or(&self.sure)
    }

    /// Nothing is sure of what was possible.
    pub(crate) fn doubted(self) -> Self {
        let mut none = self.sure.clone();
        none.and_not(&self.sure);
        Self { possible: Some(self.possible.unwrap_or(self.sure)), sure: none }
    }

    pub(crate) fn and(&mut self, other: &Self) {
        self.join(other, Bits::and);
    }

    pub(crate) fn or(&mut self, other: &Self) {
        self.join(other, Bits::or);
    }

    fn join(&mut self, other: &Self, with: impl Fn(&mut Bits, &Bits)) {
        if self.possible.is_some() || other.possible.is_some() {
            let mut possible = self.possible.take().unwrap_or_else(|| self.sure.clone());
            with(&mut possible, other.possible());
            self.possible = Some(possible);
        }
        with(&mut self.sure, &other.sure);
    }

    pub(crate) fn not(&mut self) {
        self.sure.not();
        if let Some(mut possible) = self.possible.take() {
            possible.not();
            self.possible = Some(std::mem::replace(&mut self.sure, possible));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(window: Window, docs: &[u32]) -> Bits {
        let mut bits = Bits::none(window);
        docs.iter().filter(|doc| (window.start..window.end).contains(doc)).for_each(|doc| bits.insert(*doc));
        bits
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn behaves_as_a_set(start in 0u32..5, len in 1u32..300, docs in prop::collection::btree_set(0u32..700, 0..60), a in 0u32..700, b in 0u32..700) {
            let window = Window { start: start * 64, end: start * 64 + len };
            let docs: Vec<u32> = docs.into_iter().filter(|doc| (window.start..window.end).contains(doc)).collect();
            let bits = set(window, &docs);
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), docs.clone());
            prop_assert_eq!(bits.iter_back().collect::<Vec<_>>(), docs.iter().rev().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.count(), docs.len() as u64);
            prop_assert_eq!(bits.count_in(a, b), docs.iter().filter(|doc| a <= **doc && **doc < b).count() as u64);
            prop_assert_eq!(bits.next(a.max(window.start)), docs.iter().copied().find(|doc| *doc >= a));
            let mut rest = bits.clone();
            rest.not();
            prop_assert_eq!(rest.count() + bits.count(), u64::from(len));
            rest.or(&bits);
            prop_assert_eq!(&rest, &Bits::all(window));
            let cut = Window { start: window.start + 64 * (a % 3), end: window.end };
            if !cut.is_empty() && cut.start < cut.end {
                prop_assert_eq!(bits.cut(cut), set(cut, &docs));
            }
        }
    }

    #[test]
    fn doubt_survives_a_negation() {
        let window = Window { start: 0, end: 4 };
        let mut marks = Marks { sure: set(window, &[0]), possible: Some(set(window, &[0, 1])) };
        marks.not();
        assert_eq!(marks.sure, set(window, &[2, 3]));
        assert_eq!(marks.possible, Some(set(window, &[1, 2, 3])));
        marks.and(&Marks::exact(set(window, &[1, 2])));
        assert_eq!(marks.sure, set(window, &[2]));
        assert_eq!(marks.possible, Some(set(window, &[1, 2])));
    }
}
