//! Rows as an API sent them: those that have the shape of a row, and the others as text. One odd row must neither hide
//! the others nor vanish.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A list of rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    pub rows: Vec<T>,
    /// Entries of the list that are no rows at all, as the API printed them.
    pub odd: Vec<String>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            odd: Vec::new(),
        }
    }
}

impl<T: DeserializeOwned> Rows<T> {
    /// From the entries of a list.
    pub fn of(entries: Vec<Value>) -> Self {
        let mut out = Self::default();
        for entry in entries {
            // serde would also take a list for a row, field by field: no API means that.
            let row = if entry.is_object() {
                T::deserialize(&entry).ok()
            } else {
                None
            };
            match row {
                Some(row) => out.rows.push(row),
                None => out.odd.push(format!("not a row: {entry}")),
            }
        }
        out
    }

    /// From a list, or from the bare object that stands for a list of one (megaport.md §4.2). `None`: neither.
    pub fn one_or_many(value: Value) -> Option<Self> {
        match value {
            Value::Array(entries) => Some(Self::of(entries)),
            one @ Value::Object(_) => Some(Self::of(vec![one])),
            _ => None,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Value::deserialize(d)? {
            Value::Array(entries) => Ok(Self::of(entries)),
            _ => Err(D::Error::custom("expected a list of rows")),
        }
    }
}
