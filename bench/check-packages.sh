#!/usr/bin/env bash
# Checks the published packages in crates/cli/tests/packages against what the registries hold today: fetches each archive
# by its name with the registry's own client, compares its hash with packages.tsv, and every vendored file with the
# archive's.
#
# usage: bench/check-packages.sh
#   OVERNIGHT_PACKAGES_CACHE=DIR   where the archives are kept; default: ~/.cache/overnight-packages
#
# Needs npm, pip, cargo and their registries. Exit code 0: all are what was published, 1: one is not, 2: some could not
# be fetched.
set -euo pipefail

cd "$(dirname "$0")/../crates/cli/tests/packages"
cache=${OVERNIGHT_PACKAGES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/overnight-packages}
# A fetch may take this long.
fetch_s=120
mkdir -p "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Puts the archive of one release at $cache/NAME-VERSION.REGISTRY.
fetch() { # registry, name, version
    local to=$cache/$2-$3.$1 into=$work/fetch
    [ -e "$to" ] && return
    rm -rf "$into"
    mkdir -p "$into"
    case $1 in
        npm) (cd "$into" && timeout "$fetch_s" npm pack --silent "$2@$3" >/dev/null) ;;
        pypi)
            # pip asks the archive for its metadata, in an environment of its own.
            timeout "$fetch_s" pip download --quiet --disable-pip-version-check --no-deps --no-binary "$2" \
                --dest "$into" "$2==$3"
            ;;
        crates.io)
            printf '[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\n%s = "=%s"\n' \
                "$2" "$3" >"$into/Cargo.toml"
            : >"$into/lib.rs"
            # A registry cache of its own, so that the archive is the one that was fetched now.
            CARGO_HOME=$into/home timeout "$fetch_s" cargo fetch --quiet --manifest-path "$into/Cargo.toml"
            cp "$into"/home/registry/cache/*/"$2-$3.crate" "$into/"
            ;;
        *)
            echo "packages.tsv names a registry that this script does not know: $1" >&2
            return 1
            ;;
    esac
    find "$into" -maxdepth 1 \( -name '*.tgz' -o -name '*.tar.gz' -o -name '*.crate' \) -exec mv {} "$to" \;
    [ -e "$to" ]
}

wrong=0
missing=0
files=0
releases=0
while IFS=$'\t' read -r registry name version licence sha256 use _; do
    case $registry in '#'* | registry | '') continue ;; esac
    if ! fetch "$registry" "$name" "$version" 2>"$work/fetch.log"; then
        echo "SKIPPED: $registry has no $name $version for us: $(tail -n 1 "$work/fetch.log")"
        missing=$((missing + 1))
        continue
    fi
    archive=$cache/$name-$version.$registry
    found=$(sha256sum "$archive" | cut -d ' ' -f 1)
    if [ "$found" != "$sha256" ]; then
        echo "WRONG: the archive of $name $version has the hash $found, not $sha256"
        wrong=$((wrong + 1))
        continue
    fi
    rm -rf "$work/tree"
    mkdir "$work/tree"
    tar -xzf "$archive" -C "$work/tree" --strip-components=1
    while read -r file; do
        files=$((files + 1))
        if ! cmp -s "$name/$version/$file" "$work/tree/$file"; then
            echo "WRONG: $name/$version/$file is not the published one ($licence, $use)"
            wrong=$((wrong + 1))
        fi
    done < <(cd "$name/$version" && find . -type f | sort)
    releases=$((releases + 1))
done <packages.tsv

echo "$releases releases, $files files compared: $wrong wrong, $missing could not be fetched"
[ "$wrong" -eq 0 ] || exit 1
[ "$missing" -eq 0 ] || exit 2
