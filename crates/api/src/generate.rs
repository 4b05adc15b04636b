//! The five CustomResourceDefinitions and their YAML, as they stand under `crds/`.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::directconnect::DirectConnectLink;
use crate::expressroute::ExpressRouteLink;
use crate::interconnect::HybridInterconnect;
use crate::report::RouteReport;
use crate::vpn::VpnPair;

/// The definitions, parent first, as the API server gets them.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        HybridInterconnect::crd(),
        ExpressRouteLink::crd(),
        DirectConnectLink::crd(),
        VpnPair::crd(),
        RouteReport::crd(),
    ];
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            if let Some(schema) = version
                .schema
                .as_mut()
                .and_then(|s| s.open_api_v3_schema.as_mut())
            {
                finish(schema);
                if let Some(status) = schema.properties.as_mut().and_then(|p| p.get_mut("status")) {
                    // Without it kstatus takes an object that nobody has looked at yet for Current (design §1).
                    status.default = Some(JSON(serde_json::json!({"observedGeneration": -1})));
                    status.description = Some(
                        "What is known about the resource. Written by the operator.".to_owned(),
                    );
                }
                if let Some(spec) = schema.properties.as_mut().and_then(|p| p.get_mut("spec")) {
                    spec.description = Some("What is wanted.".to_owned());
                }
            }
        }
    }
    crds
}

/// Absent is the only way to leave a field out: `null` is dropped by the API server where a field is not nullable, and then
/// no rule has to think of it.
fn finish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.as_deref().map(one_line);
    if let Some(properties) = &mut schema.properties {
        properties.values_mut().for_each(finish);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => finish(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(finish),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(inner)) = &mut schema.additional_properties {
        finish(inner);
    }
}

/// Doc comments are wrapped for the source; `kubectl explain` wraps for its reader.
fn one_line(text: &str) -> String {
    text.split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// One definition as YAML. The order of keys is that of the types, so the text is the same on every run.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(crd)
}

/// Name of the file of a definition under `crds/`.
pub fn crd_file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

/// The text of docs/validation.md: every rule that the API server checks beyond types, ranges and patterns.
pub fn validation_markdown() -> String {
    let mut out = String::from(
        "# What `kubectl apply` refuses\n\n\
         Generated from the CEL rules of the definitions; `make generate` rewrites it. Types, ranges and patterns of single \
         fields are in `kubectl explain`. Where a message shows OLD and NEW, the real one shows the values.\n",
    );
    for crd in all_crds() {
        let mut rows = Vec::new();
        for version in &crd.spec.versions {
            if let Some(schema) = version
                .schema
                .as_ref()
                .and_then(|s| s.open_api_v3_schema.as_ref())
            {
                collect_rules(schema, "", &mut rows);
            }
        }
        if rows.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "\n## {}\n\n| field | on | message |\n|---|---|---|\n",
            crd.spec.names.kind
        );
        for (path, when, message) in rows {
            let _ = writeln!(out, "| `{path}` | {when} | {message} |");
        }
    }
    out
}

fn collect_rules(
    schema: &JSONSchemaProps,
    path: &str,
    rows: &mut Vec<(String, &'static str, String)>,
) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let at = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
        let when = if rule.rule.contains("oldSelf") {
            "change"
        } else {
            "create, change"
        };
        let message = match (&rule.message, &rule.message_expression) {
            (Some(message), _) => message.clone(),
            (None, Some(expression)) => spoken(expression),
            (None, None) => rule.rule.clone(),
        };
        let at = if at.is_empty() {
            "metadata.name".to_owned()
        } else {
            at
        };
        rows.push((at.trim_start_matches('.').to_owned(), when, message));
    }
    for (name, inner) in schema.properties.iter().flatten() {
        collect_rules(inner, &format!("{path}.{name}"), rows);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect_rules(items, &format!("{path}[]"), rows);
    }
}

/// A message expression of the form `'text' + oldSelf.x + 'text'` as a reader would see it.
fn spoken(expression: &str) -> String {
    expression
        .split(" + ")
        .map(|part| match part {
            p if p.starts_with("oldSelf") => "OLD",
            p if p.starts_with("self") => "NEW",
            p => p.trim_matches('\''),
        })
        .collect()
}

/// All definitions as one stream of YAML documents, as `causeway crds` prints them.
pub fn all_crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    let mut out = String::new();
    for crd in all_crds() {
        out.push_str("---\n");
        out.push_str(&crd_yaml(&crd)?);
    }
    Ok(out)
}
