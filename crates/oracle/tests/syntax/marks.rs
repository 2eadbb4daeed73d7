//! Marks in implementation files: what excludes code from coverage, asks for tests, or changes what runs them.

use overnight_core::finding::FindingKind::{self, *};
use overnight_oracle::syntax;

use crate::shown;

const OTHERS: &[&str] = &["coverage/coverage-summary.json"];

/// Path and code that is new.
const SUSPICIOUS: &[(&str, &str, FindingKind)] = &[
    (
        "a.js",
        "/* istanbul ignore next */\nfunction f() {}\n",
        CoverageExcluded,
    ),
    (
        "a.ts",
        "// c8 ignore start\nexport const f = () => 1;\n",
        CoverageExcluded,
    ),
    ("a.ts", "/* v8  ignore  file */\n", CoverageExcluded),
    (
        "a.py",
        "def f():  # pragma: no cover\n    pass\n",
        CoverageExcluded,
    ),
    (
        "a.py",
        "def f():  # PRAGMA: NO COVER\n    pass\n",
        CoverageExcluded,
    ),
    (
        "a.rs",
        "#[cfg_attr(coverage_nightly, coverage(off))]\nfn f() {}\n",
        CoverageExcluded,
    ),
    ("a.rs", "// LCOV_EXCL_START\nfn f() {}\n", CoverageExcluded),
    (
        "a.go",
        "package a\n\n//coverage:ignore\nfunc F() {}\n",
        CoverageExcluded,
    ),
    (
        "A.java",
        "class A { @Generated void f() {} }\n",
        CoverageExcluded,
    ),
    (
        "A.java",
        "class A { @lombok.Generated void f() {} }\n",
        CoverageExcluded,
    ),
    ("a.c", "int f(); // LCOV_EXCL_LINE\n", CoverageExcluded),
    (
        "a.py",
        "import os\nif os.environ.get('PYTEST_CURRENT_TEST'):\n    pass\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import sys\nTESTING = 'pytest' in sys.modules\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import sys\nTESTING = any(name.startswith('_pytest') for name in sys.modules)\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import sys\nif sys.modules.get('unittest'):\n    pass\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import sys\nsys.modules['shop.cart'] = object()\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import sys\nif 'pytest' in sys.argv[0]:\n    pass\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import os\nif os.getenv('CI') == 'true':\n    pass\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "from unittest import TestCase\nsetattr(TestCase, 'run', print)\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import builtins\nbuiltins.AssertionError = Exception\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import os\ndef f():\n    os._exit(0)\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "import inspect\ndef f():\n    return any('test_' in x.function for x in inspect.stack())\n",
        TampersWithTests,
    ),
    (
        "a.py",
        "class A:\n    def __eq__(self, other):\n        return True\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "if (process.env.JEST_WORKER_ID) { f(); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "const { JEST_WORKER_ID } = process.env;\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "const fast = process.env['VITEST'];\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "if (process.env.NODE_ENV === 'test') { f(); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "if (['test'].includes(process.env.NODE_ENV)) { f(); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "switch (process.env.NODE_ENV) { case 'test': f(); }\n",
        TampersWithTests,
    ),
    ("a.js", "if (process.env.CI) { f(); }\n", TampersWithTests),
    (
        "a.mjs",
        "if (process.env.NODE_TEST_CONTEXT) { f(); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "if (typeof jest !== 'undefined') { f(); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "globalThis.expect = () => ({ toBe() {} });\n",
        TampersWithTests,
    ),
    ("a.js", "global.it = () => {};\n", TampersWithTests),
    (
        "a.js",
        "Object.defineProperty(globalThis, 'expect', { value: f });\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "const assert = require('node:assert');\nassert.strictEqual = () => {};\n",
        TampersWithTests,
    ),
    ("a.js", "Object.is = () => true;\n", TampersWithTests),
    (
        "a.js",
        "Array.prototype.every = () => true;\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "require.cache[require.resolve('./cart')] = fake;\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "function f() { return new Error().stack.includes('.test.js'); }\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "export default { asymmetricMatch() { return true; } };\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "process.on('exit', () => { process.exitCode = 0; });\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "fs.writeFileSync('coverage/coverage-summary.json', '{}');\n",
        TampersWithTests,
    ),
    (
        "a.js",
        "fs.writeFileSync(path.join('coverage', 'coverage-summary.json'), '{}');\n",
        TampersWithTests,
    ),
    (
        "a.sh",
        "echo '{}' > coverage/coverage-summary.json\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "fn f() -> u32 { if cfg!(test) { 3 } else { 0 } }\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "fn f() { g!(if cfg!(test) { 3 } else { 0 }); }\n",
        TampersWithTests,
    ),
    ("a.rs", "#[cfg(not(test))]\nfn f() {}\n", TampersWithTests),
    (
        "a.rs",
        "fn f() -> u32 {\n    #[cfg(test)]\n    return 3;\n    0\n}\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "#[cfg(test)]\nimpl PartialEq for A { fn eq(&self, _: &A) -> bool { 1 == 1 } }\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "impl PartialEq for A { fn eq(&self, _: &A) -> bool { true } }\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "macro_rules! assert_eq { ($($t:tt)*) => {} }\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "use fake::nothing as assert_eq;\n",
        TampersWithTests,
    ),
    (
        "a.rs",
        "fn f() -> bool { std::thread::current().name() == Some(\"tests::adds\") }\n",
        TampersWithTests,
    ),
    ("a.rs", "#[ctor::ctor]\nfn early() {}\n", TampersWithTests),
    (
        "a.go",
        "package a\n\nimport \"testing\"\n\nfunc F() int {\n\tif testing.Testing() {\n\t\treturn 3\n\t}\n\treturn 0\n}\n",
        TampersWithTests,
    ),
    (
        "a.go",
        "package a\n\nfunc F() bool {\n\treturn flag.Lookup(\"test.v\") != nil\n}\n",
        TampersWithTests,
    ),
    (
        "a.go",
        "package a\n\nfunc F() bool {\n\treturn strings.HasSuffix(os.Args[0], \".test\")\n}\n",
        TampersWithTests,
    ),
    (
        "a.go",
        "package a\n\nfunc init() {\n\tos.Exit(0)\n}\n",
        TampersWithTests,
    ),
    (
        "A.java",
        "class A { boolean f() { return System.getProperty(\"surefire.test.class.path\") != null; } }\n",
        TampersWithTests,
    ),
    (
        "A.java",
        "class A { boolean f() throws Exception { return Class.forName(\"org.junit.Test\") != null; } }\n",
        TampersWithTests,
    ),
    (
        "A.java",
        "class A { public boolean equals(Object o) { return true; } }\n",
        TampersWithTests,
    ),
];

/// Honest code that speaks of the same things.
const HONEST: &[(&str, &str)] = &[
    (
        "a.js",
        "// ignore the next one\nif (process.env.NODE_ENV === 'production') { f(); }\nmodule.exports = { test: 1 };\n",
    ),
    (
        "a.js",
        "const re = /x/; if (re.test(name)) { log(name.stack); }\nexport function expectJson(x) { return x; }\n",
    ),
    (
        "a.ts",
        "export class Suite { describe() { return this.it; } }\nconst { it: one } = load();\nObject.assign(target, source);\n",
    ),
    (
        "a.js",
        "let test = 1;\ntest = 2;\nfunction f(it) { it = it.next; return it; }\n",
    ),
    (
        "a.py",
        "import sys\nprint(sys.modules[__name__], sys.argv[1:])\nclass A:\n    def __eq__(self, other):\n        return self.x == other.x\n",
    ),
    (
        "a.py",
        "import os\nCIRCLE = os.environ.get('CIRCLE_SIZE')\n",
    ),
    ("a.py", "def stack(x):\n    return x\n\n\nstack(1)\n"),
    (
        "a.rs",
        "#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\nuse std::fmt;\n\n#[cfg(test)]\nfn sample() -> u32 { 3 }\n\n#[cfg_attr(not(test), warn(missing_docs))]\nfn f() {}\n",
    ),
    (
        "a.rs",
        "#[cfg(unix)]\nfn f() {}\n#[cfg(debug_assertions)]\nfn g() {}\nuse pretty_assertions::assert_eq;\n",
    ),
    (
        "a.rs",
        "#[cfg(test)]\nmod tests {\n    fn f() {\n        #[cfg(test)]\n        let x = 1;\n    }\n}\n",
    ),
    (
        "a.go",
        "package a\n\nfunc main() {\n\tif len(os.Args) > 1 {\n\t\tos.Exit(1)\n\t}\n\t_, file, line, _ := runtime.Caller(0)\n\tlog.Println(file, line)\n}\n",
    ),
    (
        "A.java",
        "class A { public static void main(String[] a) { System.exit(0); } @Override public boolean equals(Object o) { return o == this; } }\n",
    ),
];

fn found(path: &str, base: Option<&str>, candidate: &str) -> Vec<overnight_core::finding::Finding> {
    syntax::suspicious(
        syntax::language(path),
        path,
        base.map(str::as_bytes),
        candidate.as_bytes(),
        OTHERS,
    )
}

#[test]
fn what_is_new_is_found() {
    for (path, code, kind) in SUSPICIOUS {
        let findings = found(path, None, code);
        assert!(
            findings
                .iter()
                .any(|finding| finding.kind == *kind && finding.line.is_some()),
            "{path}: {code}\n{}",
            shown(&findings)
        );
    }
}

#[test]
fn what_the_base_has_is_nobodys_fault() {
    for (path, code, _) in SUSPICIOUS {
        let more = format!("\n{code}\n");
        let findings = found(path, Some(code), &more);
        assert!(findings.is_empty(), "{path}: {code}\n{}", shown(&findings));
    }
}

#[test]
fn honest_code_is_not_suspicious() {
    for (path, code) in HONEST {
        let findings = found(path, None, code);
        assert!(findings.is_empty(), "{path}: {code}\n{}", shown(&findings));
    }
}
