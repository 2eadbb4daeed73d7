//! Names of things. Each is a newtype, so that a tree is never taken for a commit.

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

name!(
    /// A run: a UUID version 7 in its simple form; its last eight characters are the short id.
    RunId
);
name!(
    /// A check, unique within its goal.
    CheckId
);
name!(
    /// An entry of the worklist, as its source names it.
    ItemId
);
name!(
    /// A git tree: what a candidate is. Hexadecimal object id.
    TreeId
);
name!(
    /// A git commit. Hexadecimal object id.
    CommitId
);
name!(
    /// Content of any size, by the SHA-256 of its bytes in hexadecimal.
    BlobId
);
name!(
    /// One tool call, as the model's answer names it; unique within its turn only.
    CallId
);

impl BlobId {
    /// The id of some content.
    pub fn of(content: &[u8]) -> BlobId {
        use sha2::{Digest, Sha256};
        use std::fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(content) {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        BlobId(hex)
    }
}

impl RunId {
    /// The last eight characters: enough for a person to type, and what the branch name carries.
    pub fn short(&self) -> &str {
        let at = self.0.len().saturating_sub(8);
        self.0.get(at..).unwrap_or(&self.0)
    }
}

impl CommitId {
    /// The first ten characters, for people.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// Milliseconds since the Unix epoch. Supplied by the shell; `core` never reads a clock.
pub type UnixMs = u64;

/// What an event, a budget line or a denial belongs to: the run itself or one item of its worklist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The run as a whole; also the only scope of a goal without a worklist.
    Run,
    /// One item.
    Item(ItemId),
}
