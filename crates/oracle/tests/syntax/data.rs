//! Test files as people write them: the bases of the tables.

pub const PYTEST: &str = include_str!("data/test_cart.py");
pub const UNITTEST: &str = include_str!("data/test_unit.py");
pub const VITEST: &str = include_str!("data/cart.test.ts");
pub const JEST: &str = include_str!("data/cart.test.js");
pub const NODE: &str = include_str!("data/node.test.mjs");
pub const GO: &str = include_str!("data/cart_test.go");
pub const JUNIT: &str = include_str!("data/CartTest.java");
pub const CARGO: &str = include_str!("data/cart_tests.rs");
pub const INLINE: &str = include_str!("data/cart_inline.rs");
pub const DOCTEST: &str = include_str!("data/cart_doc.py");
pub const IN_SOURCE: &str = include_str!("data/cart_vitest.ts");

/// Every test file, with a path that it could have.
pub const TEST_FILES: &[(&str, &str)] = &[
    ("tests/test_cart.py", PYTEST),
    ("tests/test_unit.py", UNITTEST),
    ("test/cart.test.ts", VITEST),
    ("test/cart.test.js", JEST),
    ("test/node.test.mjs", NODE),
    ("cart/cart_test.go", GO),
    ("src/test/java/shop/CartTest.java", JUNIT),
    ("tests/cart.rs", CARGO),
];
