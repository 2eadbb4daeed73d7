//! Tests as syntax: which there are in a file, and how two versions of them differ.
