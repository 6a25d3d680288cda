//! JSON into the values that mappings work on.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::value::{Heap, Val};

/// Reads one JSON text. The depth is bounded by the reader (128), everything else by the length of the record.
pub(crate) fn read<'e>(text: &'e str, heap: &'e Heap) -> Result<Val<'e>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node { heap }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Node<'e> {
    heap: &'e Heap,
}

impl<'e> DeserializeSeed<'e> for Node<'e> {
    type Value = Val<'e>;

    fn deserialize<D: Deserializer<'e>>(self, deserializer: D) -> Result<Val<'e>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Whole numbers beyond this are kept as text.
const EXACT_MAX: u64 = 1 << 53;

impl<'e> Visitor<'e> for Node<'e> {
    type Value = Val<'e>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Val<'e>, E> {
        Ok(Val::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Val<'e>, E> {
        Ok(Val::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Val<'e>, E> {
        Ok(if value.unsigned_abs() <= EXACT_MAX {
            Val::Number(value as f64)
        } else {
            Val::Text(self.heap.text(&value.to_string()))
        })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Val<'e>, E> {
        Ok(if value <= EXACT_MAX { Val::Number(value as f64) } else { Val::Text(self.heap.text(&value.to_string())) })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Val<'e>, E> {
        Ok(Val::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'e str) -> Result<Val<'e>, E> {
        Ok(Val::Text(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Val<'e>, E> {
        Ok(Val::Text(self.heap.text(value)))
    }

    fn visit_seq<A: SeqAccess<'e>>(self, mut items: A) -> Result<Val<'e>, A::Error> {
        let mut list = self.heap.items();
        while let Some(item) = items.next_element_seed(self)? {
            self.heap.push_item(&mut list, item);
        }
        Ok(Val::List(list.into_bump_slice()))
    }

    fn visit_map<A: MapAccess<'e>>(self, mut members: A) -> Result<Val<'e>, A::Error> {
        let mut object = self.heap.members();
        while let Some(name) = members.next_key_seed(Name { heap: self.heap })? {
            let value = members.next_value_seed(self)?;
            self.heap.push(&mut object, name, value);
        }
        Ok(Val::Object(object.into_bump_slice()))
    }
}

struct Name<'e> {
    heap: &'e Heap,
}

impl<'e> DeserializeSeed<'e> for Name<'e> {
    type Value = &'e str;

    fn deserialize<D: Deserializer<'e>>(self, deserializer: D) -> Result<&'e str, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'e> Visitor<'e> for Name<'e> {
    type Value = &'e str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'e str) -> Result<&'e str, E> {
        Ok(name)
    }

    fn visit_str<E>(self, name: &str) -> Result<&'e str, E> {
        Ok(self.heap.text(name))
    }
}
