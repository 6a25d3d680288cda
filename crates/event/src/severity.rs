//! How grave an event is: a number from 0 to 100, shown as one of five words.

use serde::{Deserialize, Serialize};

/// The word for a severity. The bands are: info 0–20, low 21–40, medium 41–60, high 61–80,
/// critical 81–100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// All five, from the mildest.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word for a number; everything above 100 is critical.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0..=20 => Self::Info,
            21..=40 => Self::Low,
            41..=60 => Self::Medium,
            61..=80 => Self::High,
            _ => Self::Critical,
        }
    }

    /// The severity of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name))
    }

    /// The number an event gets when only the word is known.
    pub const fn number(self) -> u8 {
        match self {
            Self::Info => 10,
            Self::Low => 30,
            Self::Medium => 50,
            Self::High => 73,
            Self::Critical => 90,
        }
    }

    /// The first and the last number of the band.
    pub const fn band(self) -> (u8, u8) {
        match self {
            Self::Info => (0, 20),
            Self::Low => (21, 40),
            Self::Medium => (41, 60),
            Self::High => (61, 80),
            Self::Critical => (81, 100),
        }
    }

    /// The word in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_number_once() {
        for number in 0..=100 {
            let severity = Severity::from_number(number);
            let (first, last) = severity.band();
            assert!((first..=last).contains(&number));
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::from_number(severity.number()), severity);
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
        }
    }
}
