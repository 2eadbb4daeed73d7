//! What the published descriptions say of requests and answers, as `published/extract.py` took it out of them.

use serde_json::{Map, Value};

/// One description.
pub struct Published(Value);

impl Published {
    pub fn sentry() -> Self {
        Self::of(include_str!("published/sentry.json"))
    }

    pub fn github() -> Self {
        Self::of(include_str!("published/github.json"))
    }

    pub fn datadog() -> Self {
        Self::of(include_str!("published/datadog.json"))
    }

    fn of(text: &str) -> Self {
        Published(serde_json::from_str(text).expect("the table is JSON"))
    }

    /// An example that the description itself gives.
    pub fn example(&self, name: &str) -> Value {
        let example = &self.0["examples"][name];
        assert!(example.is_object(), "no example {name}");
        example.clone()
    }

    /// Values that a field may have.
    pub fn allows(&self, values: &str, value: &Value) {
        let all = self.0["values"][values].as_array().expect("a list");
        assert!(all.contains(value), "{values} has no {value}");
    }

    /// An object with everything that is required, and these fields.
    pub fn made(&self, object: &str, fields: Value) -> Value {
        let table = &self.0["objects"][object];
        let mut made = Map::new();
        for field in table["required"].as_array().expect("a list") {
            let field = field.as_str().expect("a name");
            let kind = table["fields"][field][0].as_str().expect("a type");
            let value = match kind {
                "string" => Value::from("x"),
                "number" => Value::from(1),
                "boolean" => Value::from(false),
                "array" => Value::Array(Vec::new()),
                "object" => Value::Object(Map::new()),
                _ => Value::Null,
            };
            made.insert(field.to_owned(), value);
        }
        made.extend(fields.as_object().expect("fields").clone());
        let made = Value::Object(made);
        self.check(object, &made);
        made
    }

    /// Fails unless the object is as the description says.
    pub fn check(&self, object: &str, value: &Value) {
        let table = &self.0["objects"][object];
        let fields = value
            .as_object()
            .unwrap_or_else(|| panic!("{object} is {value}"));
        for field in table["required"].as_array().expect("a list") {
            let field = field.as_str().expect("a name");
            assert!(fields.contains_key(field), "{object} has no {field}");
        }
        for (field, value) in fields {
            let kinds = table["fields"][field].as_array();
            let kinds = kinds.unwrap_or_else(|| panic!("{object} has no field {field}"));
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            assert!(
                kinds.iter().any(|k| k == kind || k == "any"),
                "{object}.{field} is {kind}, which is not {kinds:?}"
            );
        }
    }

    /// Fails unless there is such an operation with these parameters. The path's own parts are compared where the
    /// description has no placeholder.
    pub fn operation(&self, method: &str, path: &str, query: &[(String, String)], body: &Value) {
        let operations = self.0["operations"].as_object().expect("a map");
        let found = operations.iter().find(|(name, _)| {
            let (its_method, its_path) = name.split_once(' ').expect("method and path");
            let (its, ours): (Vec<&str>, Vec<&str>) =
                (its_path.split('/').collect(), path.split('/').collect());
            its_method == method
                && its.len() == ours.len()
                && its
                    .iter()
                    .zip(&ours)
                    .all(|(its, ours)| its == ours || its.starts_with('{'))
        });
        let (name, operation) =
            found.unwrap_or_else(|| panic!("{method} {path} is not in the description"));
        let knows = |part: &str, field: &str| {
            let all = operation[part].as_array().expect("a list");
            assert!(
                all.iter().any(|f| f == field),
                "{name}: {part} has no {field}"
            );
        };
        for (key, _) in query {
            knows("query", key);
        }
        for key in body.as_object().into_iter().flat_map(|b| b.keys()) {
            knows("body", key);
        }
    }
}
