//! Tables of cases: a test with a row more is the same test, once more.

use super::Language;
use super::form::form;
use super::parse::Node;

/// Whether `new` is `old` with further rows in its tables of cases, and nothing else.
pub(super) fn extended(old: &[Node<'_>], new: &[Node<'_>]) -> bool {
    // Whatever is equal as a whole has been found before; without tables there is nothing to extend.
    if old.len() != new.len() || old.iter().all(|node| tables(*node).is_empty()) {
        return false;
    }
    old.iter().zip(new).all(|(old, new)| {
        let (old_tables, new_tables) = (tables(*old), tables(*new));
        if old_tables.is_empty() || old_tables.len() != new_tables.len() {
            return form(*old) == form(*new);
        }
        rest_equal(*old, &old_tables, *new, &new_tables)
            && old_tables
                .iter()
                .zip(&new_tables)
                .all(|(old, new)| rows_kept(*old, *new))
    })
}

/// Whether everything around the tables is equal: the pieces between them have equal forms.
fn rest_equal(
    old: Node<'_>,
    old_tables: &[Node<'_>],
    new: Node<'_>,
    new_tables: &[Node<'_>],
) -> bool {
    // Each piece outside of the tables with how deep it is: what only leads to a table is told by its kind.
    let around = |item: Node<'_>, tables: &[Node<'_>]| -> Vec<(usize, Vec<u8>)> {
        let mut out = Vec::new();
        let mut above: Vec<Node<'_>> = Vec::new();
        let mut walk = item.walk();
        while let Some(part) = walk.next() {
            while above.last().is_some_and(|node| !node.holds(part)) {
                above.pop();
            }
            if tables.contains(&part) {
                out.push((above.len(), b"table".to_vec()));
                walk.leave_out(part);
            } else if tables.iter().any(|table| part.holds(*table)) {
                out.push((above.len(), part.kind_id().to_le_bytes().to_vec()));
                above.push(part);
            } else {
                out.push((above.len(), form(part)));
                walk.leave_out(part);
            }
        }
        out.retain(|(_, piece)| !piece.is_empty());
        out
    };
    around(old, old_tables) == around(new, new_tables)
}

/// Whether every row of a table is still there, in order.
fn rows_kept(old: Node<'_>, new: Node<'_>) -> bool {
    let new_rows: Vec<Vec<u8>> = new.parts().map(form).collect();
    let mut next = 0;
    old.parts().all(|row| {
        let row = form(row);
        match new_rows[next..].iter().position(|other| *other == row) {
            Some(at) => {
                next += at + 1;
                true
            }
            None => false,
        }
    })
}

/// The tables of cases in an item: a row more is a test more.
fn tables(item: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut walk = item.walk();
    while let Some(node) = walk.next() {
        let table = match node.source().language {
            Language::Go => go_table(node),
            Language::Python => python_table(node),
            Language::JavaScript | Language::TypeScript | Language::Tsx => javascript_table(node),
            Language::Rust | Language::Java => None,
        };
        if let Some(table) = table {
            found.push(table);
            walk.leave_out(node);
        }
    }
    found
}

/// `[]struct{ ... }{ {...}, {...} }`, ranged over by the test.
fn go_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "composite_literal" || node.field("type")?.kind() != "slice_type" {
        return None;
    }
    let body = node.field("body")?;
    let rows = body.parts().all(|row| {
        row.kind() == "literal_element"
            && row
                .parts()
                .next()
                .is_some_and(|inner| inner.kind() == "literal_value")
    });
    let declaration = node
        .ancestors()
        .find(|one| one.is(&["short_var_declaration", "var_spec", "call_expression"]))?;
    let name = declaration
        .below()
        .find(|part| part.kind() == "identifier")
        .filter(|_| declaration.kind() != "call_expression")?
        .text();
    let ranged = node.source().all().any(|clause| {
        clause.kind() == "range_clause"
            && clause
                .field("right")
                .is_some_and(|right| right.text() == name)
    });
    (rows && ranged && body.parts().next().is_some()).then_some(body)
}

/// The list of `@pytest.mark.parametrize(names, [...])`.
fn python_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "call"
        || !node.field_text("function").ends_with("parametrize")
        || node
            .parent()
            .is_none_or(|parent| parent.kind() != "decorator")
    {
        return None;
    }
    let arguments = node.field("arguments")?;
    // With ids beside it a further row would need a further id, and shift the others.
    if arguments
        .parts()
        .any(|argument| argument.kind() == "keyword_argument")
    {
        return None;
    }
    arguments
        .parts()
        .nth(1)
        .filter(|list| list.is(&["list", "tuple"]))
}

/// The array of `it.each([...])`.
fn javascript_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "call_expression" {
        return None;
    }
    let callee = node.field("function")?;
    if callee.kind() != "member_expression" || callee.field_text("property") != "each" {
        return None;
    }
    node.field("arguments")?
        .parts()
        .next()
        .filter(|array| array.kind() == "array")
}
