//! The grammars, and the names that each gives to what matters here.

use overnight_ports::faults::Language;
use tree_sitter::{Parser, Tree};

/// The names of one language's syntax.
pub struct Grammar {
    /// Functions; their field `name`.
    pub functions: &'static [&'static str],
    /// Functions without a name, whose returns are not the surrounding function's.
    pub closures: &'static [&'static str],
    /// Subtrees in which nothing is changed: imports, types, annotations, patterns.
    pub skipped: &'static [&'static str],
    /// Operations with two operands and a field `operator`.
    pub binary: &'static [&'static str],
    /// Assignments with a field `operator`.
    pub assignments: &'static [&'static str],
    /// Where there is a condition, its field, and whether it may also become true (which a loop would not survive).
    pub conditions: &'static [(&'static str, &'static str, bool)],
    /// Calls, and the field that says what is called.
    pub calls: &'static [(&'static str, &'static str)],
    /// Whole numbers and others.
    pub numbers: &'static [&'static str],
    /// Quoted texts.
    pub texts: &'static [&'static str],
    /// Truth values.
    pub truths: &'static [&'static str],
    /// What stands in the place of a statement that is taken away.
    pub nothing: &'static str,
}

/// The grammar of a language.
pub fn grammar(language: Language) -> &'static Grammar {
    match language {
        Language::Rust => &RUST,
        Language::Python => &PYTHON,
        Language::JavaScript | Language::TypeScript => &JAVASCRIPT,
        Language::Go => &GO,
        Language::Java => &JAVA,
    }
}

/// Parses a file; `None` if its grammar cannot be used.
pub fn parse(path: &str, language: Language, content: &str) -> Option<Tree> {
    let grammar: tree_sitter::Language = match language {
        Language::Rust => tree_sitter_rust::LANGUAGE.into(),
        Language::Python => tree_sitter_python::LANGUAGE.into(),
        Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
        Language::TypeScript if path.ends_with('x') => tree_sitter_typescript::LANGUAGE_TSX.into(),
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        Language::Go => tree_sitter_go::LANGUAGE.into(),
        Language::Java => tree_sitter_java::LANGUAGE.into(),
    };
    let mut parser = Parser::new();
    parser.set_language(&grammar).ok()?;
    parser.parse(content, None)
}

const RUST: Grammar = Grammar {
    functions: &["function_item"],
    closures: &["closure_expression", "async_block"],
    skipped: &[
        "attribute_item",
        "inner_attribute_item",
        "use_declaration",
        "extern_crate_declaration",
        "foreign_mod_item",
        "macro_definition",
        "token_tree",
        "type_arguments",
        "type_parameters",
        "generic_type",
        "array_type",
        "where_clause",
        "enum_variant_list",
        "parameters",
        "line_comment",
        "block_comment",
    ],
    binary: &["binary_expression"],
    assignments: &["compound_assignment_expr"],
    conditions: &[
        ("if_expression", "condition", true),
        ("match_pattern", "condition", true),
        ("while_expression", "condition", false),
    ],
    calls: &[("call_expression", "function")],
    numbers: &["integer_literal", "float_literal"],
    texts: &["string_literal"],
    truths: &["boolean_literal"],
    nothing: ";",
};

const PYTHON: Grammar = Grammar {
    functions: &["function_definition"],
    closures: &["lambda"],
    skipped: &[
        "import_statement",
        "import_from_statement",
        "future_import_statement",
        "type",
        "type_alias_statement",
        "type_parameter",
        "decorator",
        "comment",
        "global_statement",
        "nonlocal_statement",
        "case_pattern",
        "format_specifier",
        "assert_statement",
    ],
    binary: &["binary_operator", "boolean_operator"],
    assignments: &["augmented_assignment"],
    conditions: &[
        ("if_statement", "condition", true),
        ("elif_clause", "condition", true),
        ("while_statement", "condition", false),
    ],
    calls: &[("call", "function")],
    numbers: &["integer", "float"],
    texts: &["string"],
    truths: &["true", "false"],
    nothing: "pass",
};

/// TypeScript's grammar has JavaScript's names and some of its own.
const JAVASCRIPT: Grammar = Grammar {
    functions: &[
        "function_declaration",
        "generator_function_declaration",
        "method_definition",
        "function_expression",
        "generator_function",
    ],
    closures: &["arrow_function"],
    skipped: &[
        "import_statement",
        "export_clause",
        "hash_bang_line",
        "comment",
        "decorator",
        "regex",
        "jsx_attribute",
        "type_annotation",
        "type_arguments",
        "type_parameters",
        "type_predicate_annotation",
        "interface_declaration",
        "type_alias_declaration",
        "ambient_declaration",
        "enum_declaration",
        "literal_type",
        "lookup_type",
        "index_type_query",
        "computed_property_name",
    ],
    binary: &["binary_expression"],
    assignments: &["augmented_assignment_expression"],
    conditions: &[
        ("if_statement", "condition", true),
        ("ternary_expression", "condition", true),
        ("while_statement", "condition", false),
    ],
    calls: &[
        ("call_expression", "function"),
        ("new_expression", "constructor"),
    ],
    numbers: &["number"],
    texts: &["string"],
    truths: &["true", "false"],
    nothing: ";",
};

const GO: Grammar = Grammar {
    functions: &["function_declaration", "method_declaration"],
    closures: &["func_literal"],
    skipped: &[
        "import_declaration",
        "package_clause",
        "comment",
        "type_declaration",
        "type_arguments",
        "parameter_list",
        "array_type",
        "slice_type",
        "map_type",
        "field_declaration",
        "defer_statement",
        "go_statement",
    ],
    binary: &["binary_expression"],
    assignments: &["assignment_statement"],
    conditions: &[("if_statement", "condition", true)],
    calls: &[("call_expression", "function")],
    numbers: &["int_literal", "float_literal"],
    texts: &["interpreted_string_literal"],
    truths: &["true", "false"],
    nothing: "",
};

const JAVA: Grammar = Grammar {
    functions: &["method_declaration", "constructor_declaration"],
    closures: &["lambda_expression"],
    skipped: &[
        "import_declaration",
        "package_declaration",
        "line_comment",
        "block_comment",
        "annotation",
        "marker_annotation",
        "modifiers",
        "type_arguments",
        "type_parameters",
        "formal_parameters",
        "switch_label",
        "assert_statement",
        "dimensions",
        "module_declaration",
    ],
    binary: &["binary_expression"],
    assignments: &["assignment_expression"],
    conditions: &[
        ("if_statement", "condition", true),
        ("ternary_expression", "condition", true),
        ("while_statement", "condition", false),
    ],
    calls: &[
        ("method_invocation", "name"),
        ("object_creation_expression", "type"),
    ],
    numbers: &["decimal_integer_literal", "decimal_floating_point_literal"],
    texts: &["string_literal"],
    truths: &["true", "false"],
    nothing: ";",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelt name would only make the harness blind.
    #[test]
    fn every_name_is_one_of_the_grammars() {
        let typescript: tree_sitter::Language = tree_sitter_typescript::LANGUAGE_TSX.into();
        for (names, languages) in [
            (&RUST, vec![tree_sitter_rust::LANGUAGE.into()]),
            (&PYTHON, vec![tree_sitter_python::LANGUAGE.into()]),
            (
                &JAVASCRIPT,
                vec![tree_sitter_javascript::LANGUAGE.into(), typescript],
            ),
            (&GO, vec![tree_sitter_go::LANGUAGE.into()]),
            (&JAVA, vec![tree_sitter_java::LANGUAGE.into()]),
        ] {
            let kinds = [
                names.functions,
                names.closures,
                names.skipped,
                names.binary,
                names.assignments,
                names.numbers,
                names.texts,
                names.truths,
            ]
            .concat();
            let with_fields: Vec<(&str, &str)> = names
                .conditions
                .iter()
                .map(|(kind, field, _)| (*kind, *field))
                .chain(names.calls.iter().copied())
                .collect();
            let kinds = kinds
                .into_iter()
                .chain(with_fields.iter().map(|(kind, _)| *kind));
            for kind in kinds {
                let known = languages
                    .iter()
                    .any(|l: &tree_sitter::Language| l.id_for_node_kind(kind, true) != 0);
                assert!(known, "{kind}");
            }
            for (_, field) in with_fields {
                let known = languages
                    .iter()
                    .any(|l: &tree_sitter::Language| l.field_id_for_name(field).is_some());
                assert!(known, "{field}");
            }
        }
    }
}
