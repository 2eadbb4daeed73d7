//! What a tool answered, as text. Images, sounds and files are named, not shown.

use std::fmt::Write;

use overnight_ports::mcp::ToolAnswer;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

/// Base64 holds three bytes in four characters.
fn decoded_bytes(base64: &str) -> usize {
    base64.len() / 4 * 3
}

/// The text of an answer. What is structured is shown where nothing else is said.
pub(crate) fn of(result: CallToolResult) -> ToolAnswer {
    let mut text = String::new();
    let mut said = false;
    for block in &result.content {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        match block {
            ContentBlock::Text(block) => {
                said = true;
                text.push_str(&block.text);
            }
            ContentBlock::Image(block) => {
                let bytes = decoded_bytes(&block.data);
                let _ = write!(
                    text,
                    "[an image is not shown: {}, {bytes} bytes]",
                    block.mime_type
                );
            }
            ContentBlock::Audio(block) => {
                let bytes = decoded_bytes(&block.data);
                let _ = write!(
                    text,
                    "[a sound is not shown: {}, {bytes} bytes]",
                    block.mime_type
                );
            }
            ContentBlock::Resource(block) => match &block.resource {
                ResourceContents::TextResourceContents {
                    uri, text: content, ..
                } => {
                    said = true;
                    let _ = write!(text, "[{uri}]\n{content}");
                }
                ResourceContents::BlobResourceContents { uri, blob, .. } => {
                    let bytes = decoded_bytes(blob);
                    let _ = write!(text, "[a file is not shown: {uri}, {bytes} bytes]");
                }
                #[allow(unreachable_patterns)]
                _ => text.push_str("[a resource of a kind that is not known]"),
            },
            ContentBlock::ResourceLink(link) => {
                let _ = write!(text, "[a link: {} ({})]", link.uri, link.name);
            }
            _ => text.push_str("[content of a kind that is not known]"),
        }
    }
    if let Some(structured) = result.structured_content.filter(|_| !said) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&structured.to_string());
    }
    ToolAnswer {
        ok: result.is_error != Some(true),
        text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(value: serde_json::Value) -> ToolAnswer {
        of(serde_json::from_value(value).expect("a result"))
    }

    #[test]
    fn text_is_shown_and_everything_else_is_named() {
        let found = answer(json!({"content": [
            {"type": "text", "text": "two files"},
            {"type": "image", "data": "AAAAAAAA", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "its text"}},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "file:///c", "name": "c"},
        ], "structuredContent": {"files": 2}}));
        assert_eq!(
            found,
            ToolAnswer {
                ok: true,
                text: "two files\n[an image is not shown: image/png, 6 bytes]\n[file:///a]\nits text\n\
                       [a file is not shown: file:///b, 3 bytes]\n[a link: file:///c (c)]"
                    .into(),
            }
        );
    }

    #[test]
    fn what_is_only_structured_is_shown_and_errors_are_errors() {
        let found = answer(json!({"content": [], "structuredContent": {"b": 1, "a": [2]}}));
        assert_eq!(
            (found.ok, found.text.as_str()),
            (true, r#"{"b":1,"a":[2]}"#)
        );
        let found = answer(json!({"content": [{"type": "text", "text": "no"}], "isError": true}));
        assert!(!found.ok);
    }
}
