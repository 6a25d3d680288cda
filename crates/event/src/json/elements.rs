//! The elements of a JSON array as they stand in the text, so that each can be read on its own and
//! one that is broken does not cost the others.

use super::{JsonError, Problem};

/// The elements of the array that `text` is, without the spaces around them. What is in an element
/// is not looked at, other than where it ends. After an error nothing comes any more.
pub fn elements(text: &[u8]) -> Elements<'_> {
    Elements { text, at: 0, state: State::Before }
}

/// See [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Done,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.state {
            State::Before => self.first(),
            State::Within => self.following(),
            State::Done => return None,
        };
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Done;
        }
        next
    }
}

impl<'a> Elements<'a> {
    fn first(&mut self) -> Option<Result<&'a [u8], JsonError>> {
        self.skip_space();
        if self.peek() != Some(b'[') {
            return Some(Err(self.unexpected("an array")));
        }
        self.at += 1;
        self.state = State::Within;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return self.end();
        }
        Some(self.element())
    }

    fn following(&mut self) -> Option<Result<&'a [u8], JsonError>> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Some(self.element())
            }
            Some(b']') => {
                self.at += 1;
                self.end()
            }
            _ => Some(Err(self.unexpected("a comma or ]"))),
        }
    }

    fn end(&mut self) -> Option<Result<&'a [u8], JsonError>> {
        self.skip_space();
        self.peek().map(|_| Err(self.unexpected("the end")))
    }

    /// Up to the comma or bracket that ends the element.
    fn element(&mut self) -> Result<&'a [u8], JsonError> {
        let start = self.at;
        let mut depth = 0_usize;
        let mut quoted = false;
        while let Some(b) = self.peek() {
            match b {
                b'\\' if quoted => self.at += 1,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b',' | b']' if depth == 0 => break,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.text.len());
        if quoted || depth > 0 || self.peek().is_none() {
            return Err(self.unexpected("the end of the array"));
        }
        let element = self.text.get(start..self.at).unwrap_or_default().trim_ascii_end();
        if element.is_empty() { Err(self.unexpected("a value")) } else { Ok(element) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> JsonError {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |b| format!("{:?}", char::from(b)));
        JsonError::new(Problem::Unexpected { expected, found }, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_cut_where_they_end() {
        let check = |text: &str, expected: &[&str]| {
            let found: Result<Vec<_>, _> = elements(text.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|element| element.as_bytes()).collect();
            assert_eq!(found, Ok(expected), "{text}");
        };
        check("[]", &[]);
        check(" [ ] ", &[]);
        check("[1]", &["1"]);
        check(r#"[ {"a":[1,2]} , "],\"," ,3 ]"#, &[r#"{"a":[1,2]}"#, r#""],\",""#, "3"]);
        check(r#"[{"a":broken},{"b":1}]"#, &[r#"{"a":broken}"#, r#"{"b":1}"#]);
    }

    #[test]
    fn a_broken_array_gives_what_came_before() {
        let check = |text: &str, good: usize, position: usize| {
            let found: Vec<_> = elements(text.as_bytes()).collect();
            assert_eq!(found.iter().take_while(|element| element.is_ok()).count(), good, "{text}");
            assert_eq!(found.len(), good + 1, "{text}");
            assert_eq!(found.last().unwrap().as_ref().unwrap_err().position, position, "{text}");
        };
        check("", 0, 0);
        check("{}", 0, 0);
        check("[1,2", 1, 4);
        check("[1,,2]", 1, 3);
        check("[1] 2", 1, 4);
        check("[{\"a\":1},{\"b\"", 1, 13);
    }
}
