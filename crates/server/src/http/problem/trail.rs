use super::Problem;
use crate::selfcheck;

impl From<selfcheck::Error> for Problem {
    fn from(error: selfcheck::Error) -> Self {
        match error {
            selfcheck::Error::Running => Self::conflict(error.to_string()),
            selfcheck::Error::State(source) => source.into(),
            selfcheck::Error::Record(source) => source.into(),
        }
    }
}
