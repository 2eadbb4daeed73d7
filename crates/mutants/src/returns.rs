//! What a function gives back instead: the empty value of its type, where the type or the expression tells which.

use overnight_ports::faults::Language;

/// The empty value of a Rust type, as an expression; `None` where the type does not tell.
fn rust(kind: &str) -> Option<String> {
    const PLAIN: [&str; 17] = [
        "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
        "f32", "f64", "bool", "String", "&str",
    ];
    const GENERIC: [&str; 9] = [
        "Vec<",
        "Option<",
        "HashMap<",
        "BTreeMap<",
        "HashSet<",
        "BTreeSet<",
        "VecDeque<",
        "Cow<",
        "Box<str",
    ];
    let kind = kind.trim();
    let short = match kind.find('<') {
        Some(open) => match kind[..open].rfind("::") {
            Some(path) => &kind[path + 2..],
            None => kind,
        },
        None => kind.rsplit("::").next().unwrap_or(kind),
    };
    if PLAIN.contains(&short)
        || short == "&'static str"
        || GENERIC.iter().any(|start| short.starts_with(start))
    {
        return Some("Default::default()".to_owned());
    }
    let inner = short.strip_prefix("Result<")?;
    let end = first_argument(inner)?;
    match inner[..end].trim() {
        "()" => Some("Ok(())".to_owned()),
        ok => rust(ok).map(|value| format!("Ok({value})")),
    }
}

/// Where the first of several type arguments ends.
fn first_argument(arguments: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, c) in arguments.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ',' if depth == 0 => return Some(at),
            '>' | ')' | ']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The empty value of a Go type.
fn go(kind: &str) -> Option<&'static str> {
    let kind = kind.trim();
    Some(match kind {
        "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32"
        | "uint64" | "uintptr" | "byte" | "rune" | "float32" | "float64" => "0",
        "string" => "\"\"",
        "bool" => "false",
        "error" | "any" => "nil",
        _ if ["*", "[]", "map[", "func(", "chan ", "interface{"]
            .iter()
            .any(|start| kind.starts_with(start)) =>
        {
            "nil"
        }
        _ => return None,
    })
}

/// The empty value of a Java type.
fn java(kind: &str) -> Option<&'static str> {
    Some(match kind.trim() {
        "void" | "char" => return None,
        "byte" | "short" | "int" | "long" | "float" | "double" => "0",
        "boolean" => "false",
        _ => "null",
    })
}

/// The empty value of what an expression of a language without types looks like.
fn looks(kind: &str, python: bool) -> &'static str {
    match kind {
        "binary_expression" | "binary_operator" | "unary_operator" => "0",
        "comparison_operator" | "boolean_operator" | "not_operator" => "False",
        "list" | "list_comprehension" | "array" => "[]",
        "template_string" => "\"\"",
        _ if python => "None",
        _ => "null",
    }
}

/// What stands for the value that is given back: `kind` and `expression` are what it is and how it reads, `result` is the
/// function's type as it reads, where there is one. Nothing where it would be the same.
pub fn instead(
    language: Language,
    kind: &str,
    expression: &str,
    result: Option<&str>,
) -> Vec<String> {
    let expression = expression.trim();
    // Constants have changes of their own.
    let literal = matches!(
        kind,
        "integer"
            | "float"
            | "string"
            | "number"
            | "true"
            | "false"
            | "none"
            | "null"
            | "undefined"
            | "nil"
            | "integer_literal"
            | "float_literal"
            | "string_literal"
            | "boolean_literal"
            | "unit_expression"
            | "int_literal"
            | "interpreted_string_literal"
            | "decimal_integer_literal"
            | "decimal_floating_point_literal"
            | "null_literal"
    );
    let empty = matches!(
        expression,
        "None"
            | "Vec::new()"
            | "vec![]"
            | "String::new()"
            | "Default::default()"
            | "Ok(())"
            | "Ok(None)"
            | "[]"
            | "{}"
            | "({})"
            | "()"
            | "undefined"
            | "void 0"
    );
    if literal || empty {
        return Vec::new();
    }
    let mut values: Vec<String> = Vec::new();
    match language {
        Language::Rust => {
            let kind = result.unwrap_or_default();
            if kind.trim() == "bool" {
                values.push("true".to_owned());
                values.push("false".to_owned());
            } else {
                values.extend(rust(kind));
            }
        }
        Language::Go => {
            let value = result.and_then(go);
            values.extend(value.map(str::to_owned));
            if value == Some("false") {
                values.push("true".to_owned());
            }
        }
        Language::Java => {
            let value = result.and_then(java);
            values.extend(value.map(str::to_owned));
            if value == Some("false") {
                values.push("true".to_owned());
            }
        }
        Language::Python => values.push(looks(kind, true).to_owned()),
        Language::JavaScript | Language::TypeScript => {
            let stated = result.map(|r| r.trim_start_matches(':').trim());
            values.push(
                match stated {
                    Some("number") => "0",
                    Some("string") => "\"\"",
                    Some("boolean") => "false",
                    Some(list) if list.ends_with("[]") => "[]",
                    _ => looks(kind, false),
                }
                .to_owned(),
            );
        }
    }
    values.retain(|value| value != expression);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_tells_what_nothing_is() {
        for (kind, wanted) in [
            ("u32", Some("Default::default()")),
            ("Option<Vec<u8>>", Some("Default::default()")),
            (
                "std::collections::BTreeMap<String, u8>",
                Some("Default::default()"),
            ),
            ("Result<(), Error>", Some("Ok(())")),
            ("io::Result<Vec<(u8, u8)>>", Some("Ok(Default::default())")),
            ("Result<Cart, Error>", None),
            ("Cart", None),
            ("impl Iterator<Item = u8>", None),
            ("Result<", None),
            ("Result<)", None),
        ] {
            assert_eq!(rust(kind).as_deref(), wanted, "{kind}");
        }
        assert_eq!(go("[]byte"), Some("nil"));
        assert_eq!(go("Cart"), None);
        assert_eq!(java("Optional<Cart>"), Some("null"));
    }

    #[test]
    fn what_is_empty_already_stays() {
        let instead = |language, kind, text, result| instead(language, kind, text, result);
        assert!(
            instead(
                Language::Rust,
                "call_expression",
                "Vec::new()",
                Some("Vec<u8>")
            )
            .is_empty()
        );
        assert!(instead(Language::Python, "none", "None", None).is_empty());
        assert_eq!(
            instead(Language::Rust, "binary_expression", "a < b", Some("bool")),
            ["true", "false"]
        );
        assert_eq!(instead(Language::Python, "call", "f(x)", None), ["None"]);
    }
}
