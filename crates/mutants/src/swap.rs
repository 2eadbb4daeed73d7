//! Operators and what each is taken for by mistake.

/// What stands for a comparison that is off by one case or the wrong way round.
pub fn comparison(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "<" => "<=",
        "<=" => "<",
        ">" => ">=",
        ">=" => ">",
        "==" => "!=",
        "!=" | "<>" => "==",
        "===" => "!==",
        "!==" => "===",
        "is" => "is not",
        "is not" => "is",
        "in" => "not in",
        "not in" => "in",
        _ => return None,
    })
}

/// What stands for an arithmetic operator, also in its assigning form.
pub fn arithmetic(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "+" => "-",
        "-" => "+",
        "*" => "/",
        "/" | "//" => "*",
        "+=" => "-=",
        "-=" => "+=",
        "*=" => "/=",
        "/=" | "//=" => "*=",
        _ => return None,
    })
}

/// What stands for a connective.
pub fn connective(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "&&" => "||",
        "||" => "&&",
        "and" => "or",
        "or" => "and",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operator_becomes_itself() {
        for operator in [
            "<", "<=", ">", ">=", "==", "!=", "===", "!==", "is", "is not", "in", "not in", "<>",
        ] {
            assert_ne!(comparison(operator), Some(operator));
            assert!(comparison(operator).is_some(), "{operator}");
        }
        for operator in ["+", "-", "*", "/", "//", "+=", "-=", "*=", "/=", "//="] {
            assert_ne!(arithmetic(operator), Some(operator));
            assert!(arithmetic(operator).is_some(), "{operator}");
        }
        assert_eq!(comparison("<<"), None);
        assert_eq!(arithmetic("%"), None);
        assert_eq!(connective("|"), None);
    }
}
