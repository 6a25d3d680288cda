//! The fields of an index. They are few and lean: no norms, no frequencies, no positions of words,
//! and no copy of the event.

use tantivy::schema::{BytesOptions, FAST, Field, NumericOptions, Schema};

/// The version of what is on disk. An index of another version is made again from the trail.
pub(crate) const VERSION: u32 = 2;

/// Which paths the event has.
pub(crate) const PATHS: Field = Field::from_field_id(0);
/// The leaves of the event.
pub(crate) const TERMS: Field = Field::from_field_id(1);
/// The words of all its strings.
pub(crate) const WORDS: Field = Field::from_field_id(2);
/// When it happened.
pub(crate) const TIME: Field = Field::from_field_id(3);
/// Where it is in the trail.
pub(crate) const POSITION: Field = Field::from_field_id(4);

pub(crate) const TIME_NAME: &str = "time";
pub(crate) const POSITION_NAME: &str = "position";

pub(crate) fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_bytes_field("paths", BytesOptions::default().set_indexed());
    schema.add_bytes_field("terms", BytesOptions::default().set_indexed());
    schema.add_bytes_field("words", BytesOptions::default().set_indexed());
    schema.add_i64_field(TIME_NAME, NumericOptions::default() | FAST);
    schema.add_u64_field(POSITION_NAME, NumericOptions::default() | FAST);
    schema.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_their_numbers_say() {
        let schema = schema();
        let names: Vec<_> = [PATHS, TERMS, WORDS, TIME, POSITION].map(|field| schema.get_field_name(field)).into();
        assert_eq!(names, ["paths", "terms", "words", TIME_NAME, POSITION_NAME]);
    }
}
