//! Schema fragments that the derives cannot express: bounded maps and bounded conditions.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Longest message that a status field takes; the operator cuts longer ones.
pub const MESSAGE_MAX: usize = 2048;

/// Tags of a cloud object: both providers' limits, less what ownership needs.
pub fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 40,
        "additionalProperties": {"type": "string", "maxLength": 256}
    })
}

/// A small map from words to short strings in status.
pub fn short_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 24,
        "additionalProperties": {"type": "string", "maxLength": 1024}
    })
}

/// `metav1.Condition` with the bounds that Kubernetes itself gives it.
pub fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 24,
        "items": {
            "type": "object",
            "description": "One observation of the resource's state.",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string", "maxLength": 316, "minLength": 1,
                    "description": "Type of the condition, in CamelCase."
                },
                "status": {
                    "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "True, False or Unknown."
                },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0,
                    "description": "metadata.generation of the spec that this condition speaks about."
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time",
                    "description": "When the status of the condition last changed."
                },
                "reason": {
                    "type": "string", "maxLength": 1024, "minLength": 1,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "One word, from the closed set in docs/conditions.md, for the last transition."
                },
                "message": {
                    "type": "string", "maxLength": 32768,
                    "description": "The same in a sentence: which object and field, what is wrong, what to do."
                }
            }
        }
    })
}
