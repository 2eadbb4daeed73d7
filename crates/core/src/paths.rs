//! Paths as text. A name that is UTF-8 is written as it is; any other in git's C-style quotes, so that no two names
//! have the same text and every text leads back to its bytes.

/// The path as text. UTF-8 stays as it is; anything else, and what could be taken for the quoted form, is written in
/// git's C-style quotes, so that [`unquote`] always finds the same bytes again.
pub fn quote(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.starts_with('"') => text.to_owned(),
        Ok(_) | Err(_) => quote_always(path),
    }
}

/// The path in git's C-style quotes.
pub fn quote_always(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len() + 8);
    text.push('"');
    for byte in path {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x20..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\{other:03o}")),
        }
    }
    text.push('"');
    text
}

/// The bytes of a path written by [`quote`]; `None` if it is not well-formed.
pub fn unquote(text: &str) -> Option<Vec<u8>> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.as_bytes().to_vec());
    };
    let body = rest.strip_suffix('"')?.as_bytes();
    let mut bytes = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        at += 1;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let escape = body.get(at)?;
        at += 1;
        bytes.push(match escape {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'"' | b'\\' => *escape,
            b'0'..=b'3' => {
                let digits = std::str::from_utf8(body.get(at - 1..at + 2)?).ok()?;
                at += 2;
                u8::from_str_radix(digits, 8).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_its_text() {
        for name in [
            &b"src/a.rs"[..],
            b"caf\xe9.txt",
            b"\"quoted\"",
            b"a\nb\t\\",
            b"\xff\xff",
            "ä".as_bytes(),
        ] {
            assert_eq!(unquote(&quote(name)).as_deref(), Some(name));
        }
        assert_eq!(quote(b"caf\xe9.txt"), "\"caf\\351.txt\"");
        assert_eq!(unquote("\"open"), None);
    }
}
