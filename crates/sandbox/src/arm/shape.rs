//! Reading request bodies: which members a type has, of which JSON type, and which the service ignores because only it
//! writes them. What Microsoft.Network does not know it refuses ("Could not find member"); read-only members of a
//! GET → PUT round trip it takes and ignores (azure.md §1.3).

use super::errors::{ArmError, ArmResult};
use serde_json::{Map, Value, json};

/// The JSON type of a member.
#[derive(Debug, Clone, Copy)]
pub enum Ty {
    Str,
    /// Smallest and largest value.
    Int(i64, i64),
    Bool,
    /// One of these words, compared without case.
    Enum(&'static [&'static str]),
    Strs,
    /// `{"id": …}`; other members of it are ignored.
    Ref,
    Obj(&'static Shape),
    List(&'static Shape),
    /// Taken and given back as it is.
    Any,
    /// Written by the service only.
    ReadOnly,
}

/// The members of a JSON object.
#[derive(Debug)]
pub struct Shape {
    /// The service's name of the type, for error messages.
    pub name: &'static str,
    pub fields: &'static [(&'static str, Ty)],
}

impl Shape {
    /// Reads `value` as an object of this shape and answers what the caller may set, in the service's spelling. Absent
    /// and null members are left out.
    pub fn read(&self, value: &Value, path: &str) -> ArmResult<Map<String, Value>> {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => return Ok(Map::new()),
            _ => {
                return Err(ArmError::format(format!(
                    "Cannot deserialize the current JSON value into type '{}'. Path '{path}'.",
                    self.name
                )));
            }
        };
        let mut out = Map::new();
        for (member, value) in map {
            let at = if path.is_empty() {
                member.clone()
            } else {
                format!("{path}.{member}")
            };
            let Some((name, ty)) = self
                .fields
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(member))
            else {
                return Err(ArmError::format(format!(
                    "Could not find member '{member}' on object of type '{}'. Path '{at}'.",
                    self.name
                )));
            };
            if value.is_null() || matches!(ty, Ty::ReadOnly) {
                continue;
            }
            out.insert((*name).to_owned(), ty.read(value, &at)?);
        }
        Ok(out)
    }
}

impl Ty {
    fn read(self, value: &Value, path: &str) -> ArmResult<Value> {
        let wrong = |what: &str| {
            ArmError::format(format!(
                "Error converting value {value} to type '{what}'. Path '{path}'."
            ))
        };
        Ok(match self {
            Self::Str => value.as_str().ok_or_else(|| wrong("System.String"))?.into(),
            Self::Bool => value
                .as_bool()
                .ok_or_else(|| wrong("System.Boolean"))?
                .into(),
            Self::Int(low, high) => {
                let n = value.as_i64().ok_or_else(|| wrong("System.Int32"))?;
                if n < low || n > high {
                    return Err(ArmError::bad(
                        "InvalidParameterValue",
                        format!(
                            "The value {n} of {path} is not valid: it must be between {low} and {high}."
                        ),
                    ));
                }
                n.into()
            }
            Self::Enum(words) => {
                let given = value.as_str().ok_or_else(|| wrong("System.String"))?;
                words
                    .iter()
                    .find(|w| w.eq_ignore_ascii_case(given))
                    .map(|w| Value::from(*w))
                    .ok_or_else(|| {
                        ArmError::format(format!(
                            "Error converting value \"{given}\" to one of {}. Path '{path}'.",
                            words.join(", ")
                        ))
                    })?
            }
            Self::Strs => {
                let items = value.as_array().ok_or_else(|| wrong("System.String[]"))?;
                if items.iter().any(|i| !i.is_string()) {
                    return Err(wrong("System.String[]"));
                }
                value.clone()
            }
            Self::Ref => {
                let id = value
                    .get("id")
                    .and_then(Value::as_str)
                    .filter(|id| !id.is_empty())
                    .ok_or_else(|| {
                        ArmError::format(format!(
                            "Value for reference id is missing. Path '{path}'."
                        ))
                    })?;
                if !id.starts_with('/') {
                    return Err(ArmError::bad(
                        "LinkedInvalidPropertyId",
                        format!(
                            "Property id '{id}' at path '{path}.id' is invalid. Expect fully qualified resource Id that \
                             start with '/subscriptions/{{subscriptionId}}' or '/providers/{{resourceProviderNamespace}}/'."
                        ),
                    ));
                }
                json!({"id": id})
            }
            Self::Obj(shape) => Value::Object(shape.read(value, path)?),
            Self::List(shape) => {
                let items = value.as_array().ok_or_else(|| wrong("array"))?;
                let mut out = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    out.push(Value::Object(shape.read(item, &format!("{path}[{i}]"))?));
                }
                Value::Array(out)
            }
            Self::Any => value.clone(),
            Self::ReadOnly => Value::Null,
        })
    }
}
