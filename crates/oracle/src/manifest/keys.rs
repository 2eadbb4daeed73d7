//! Who owns which key of a manifest. To teach the oracle a key, add a line: the first pattern that is a key's path
//! decides; what no pattern names is the base's.

use super::Kind;

/// Who owns a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The candidate: it says what the package is, not how it is tested.
    Candidate,
    /// The candidate, except that no dependency may be turned into files of the repository.
    Dependencies,
    /// What the base has stays; the candidate may add.
    Additions,
    /// The candidate, except for names of programs that the checks start.
    Programs,
    /// Targets of Cargo: what the base has stays; new ones may be added that take nothing from those.
    Targets,
    /// Members of a workspace: those of the base stay; new folders may be added.
    Members,
    /// The base, but of no weight in a manifest that is new.
    BaseOnceThere,
    /// The base.
    Base,
}

use Owner::{Additions, Base, BaseOnceThere, Candidate, Dependencies, Members, Programs, Targets};

type Row = (&'static str, Owner);

/// Keys of a kind of manifest: parts joined by a space, `*` for any one part.
pub(crate) fn rows(kind: Kind) -> &'static [Row] {
    match kind {
        Kind::PackageJson => PACKAGE_JSON,
        Kind::PyProject => PYPROJECT,
        Kind::SetupCfg => SETUP_CFG,
        Kind::CargoToml => CARGO,
        Kind::GoMod => GO_MOD,
        Kind::Requirements => REQUIREMENTS,
        Kind::Pom => &[],
    }
}

const PACKAGE_JSON: &[Row] = &[
    ("dependencies", Dependencies),
    ("devDependencies", Dependencies),
    ("peerDependencies", Dependencies),
    ("optionalDependencies", Dependencies),
    ("peerDependenciesMeta", Candidate),
    ("bundleDependencies", Candidate),
    ("bundledDependencies", Candidate),
    ("version", Candidate),
    ("description", Candidate),
    ("keywords", Candidate),
    ("exports", Candidate),
    ("main", Candidate),
    ("module", Candidate),
    ("browser", Candidate),
    ("types", Candidate),
    ("typings", Candidate),
    ("typesVersions", Candidate),
    ("files", Candidate),
    ("sideEffects", Candidate),
    ("author", Candidate),
    ("contributors", Candidate),
    ("maintainers", Candidate),
    ("license", Candidate),
    ("repository", Candidate),
    ("homepage", Candidate),
    ("bugs", Candidate),
    ("funding", Candidate),
    ("man", Candidate),
    ("publishConfig", Candidate),
    ("bin", Programs),
    ("scripts", Additions),
    ("name", BaseOnceThere),
    ("private", BaseOnceThere),
    ("engines", BaseOnceThere),
];

const PYPROJECT: &[Row] = &[
    ("project dependencies", Dependencies),
    ("project optional-dependencies *", Dependencies),
    ("dependency-groups *", Dependencies),
    ("project version", Candidate),
    ("project description", Candidate),
    ("project readme", Candidate),
    ("project keywords", Candidate),
    ("project authors", Candidate),
    ("project maintainers", Candidate),
    ("project classifiers", Candidate),
    ("project urls", Candidate),
    ("project license", Candidate),
    ("project license-files", Candidate),
    ("project scripts", Programs),
    ("project gui-scripts", Programs),
    ("project entry-points", Base),
    ("project", BaseOnceThere),
    ("build-system", BaseOnceThere),
    ("tool poetry dependencies", Dependencies),
    ("tool poetry dev-dependencies", Dependencies),
    ("tool poetry group * dependencies", Dependencies),
    ("tool poetry version", Candidate),
    ("tool poetry description", Candidate),
    ("tool poetry readme", Candidate),
    ("tool poetry keywords", Candidate),
    ("tool poetry authors", Candidate),
    ("tool poetry classifiers", Candidate),
    ("tool poetry scripts", Programs),
    ("tool poetry name", BaseOnceThere),
    ("tool pdm dev-dependencies *", Dependencies),
    ("tool uv dev-dependencies", Dependencies),
    ("tool setuptools packages", Candidate),
    ("tool setuptools package-data", Candidate),
    ("tool setuptools dynamic", BaseOnceThere),
];

const SETUP_CFG: &[Row] = &[
    ("metadata name", BaseOnceThere),
    ("metadata", Candidate),
    ("options install_requires", Dependencies),
    ("options tests_require", Dependencies),
    ("options setup_requires", Dependencies),
    ("options.extras_require *", Dependencies),
    ("options packages", Candidate),
    ("options include_package_data", Candidate),
    ("options zip_safe", Candidate),
    ("options.package_data", Candidate),
    ("options.packages.find", BaseOnceThere),
];

const CARGO: &[Row] = &[
    ("dependencies", Dependencies),
    ("dev-dependencies", Dependencies),
    ("build-dependencies", Dependencies),
    ("target * dependencies", Dependencies),
    ("target * dev-dependencies", Dependencies),
    ("target * build-dependencies", Dependencies),
    ("workspace dependencies", Dependencies),
    ("features", Additions),
    ("package version", Candidate),
    ("package description", Candidate),
    ("package keywords", Candidate),
    ("package categories", Candidate),
    ("package authors", Candidate),
    ("package license", Candidate),
    ("package license-file", Candidate),
    ("package readme", Candidate),
    ("package repository", Candidate),
    ("package homepage", Candidate),
    ("package documentation", Candidate),
    ("package include", Candidate),
    ("package exclude", Candidate),
    ("package rust-version", Candidate),
    ("package publish", Candidate),
    ("package name", BaseOnceThere),
    ("package edition", BaseOnceThere),
    ("workspace package version", Candidate),
    ("workspace package description", Candidate),
    ("workspace package rust-version", Candidate),
    ("workspace members", Members),
    ("bin", Targets),
    ("test", Targets),
    ("bench", Targets),
    ("example", Targets),
];

const GO_MOD: &[Row] = &[
    ("require", Dependencies),
    ("module", BaseOnceThere),
    ("go", BaseOnceThere),
    ("toolchain", BaseOnceThere),
];

const REQUIREMENTS: &[Row] = &[("requirements", Dependencies)];

/// Whose the key at `path` is: an owner and how much of the path the row named, or `None` if only deeper keys are named.
pub(crate) fn owner(kind: Kind, path: &[String]) -> Option<(Owner, usize)> {
    for (pattern, owner) in rows(kind) {
        let parts: Vec<&str> = pattern.split(' ').collect();
        if parts.len() <= path.len()
            && parts
                .iter()
                .zip(path)
                .all(|(part, key)| *part == "*" || part == key)
        {
            return Some((*owner, parts.len()));
        }
    }
    None
}

/// Whether a row names a key below `path`.
pub(crate) fn has_rows_below(kind: Kind, path: &[String]) -> bool {
    rows(kind).iter().any(|(pattern, _)| {
        let parts: Vec<&str> = pattern.split(' ').collect();
        parts.len() > path.len()
            && parts
                .iter()
                .zip(path)
                .all(|(part, key)| *part == "*" || part == key)
    })
}
