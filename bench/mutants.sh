#!/usr/bin/env bash
# Plants single faults in the state machine (core's step/, effect.rs and stop.rs) and says which of them no test notices.
# On demand: about two hours on two cores. Needs cargo-mutants (`cargo install --locked cargo-mutants`).
#
# usage: bench/mutants.sh [ARGUMENTS FOR cargo mutants, such as --shard 0/8]
set -euo pipefail

cd "$(dirname "$0")/.."
if ! cargo mutants --version >/dev/null 2>&1; then
    echo "cargo-mutants is not installed: cargo install --locked cargo-mutants" >&2
    exit 2
fi
out=target/mutants
# Survivors are figures here, not an error.
cargo mutants -p overnight-core \
    --file 'crates/core/src/step/*.rs' --file crates/core/src/effect.rs --file crates/core/src/stop.rs \
    --exclude 'crates/core/src/step/t[ae]*.rs' \
    --output "$out" --timeout 120 --baseline skip "$@" -- --lib || true
count() { wc -l <"$out/mutants.out/$1.txt"; }
echo "mutants: $(count caught) noticed, $(count missed) missed, $(count timeout) ended by the clock, $(count unviable) do not compile"
cat "$out/mutants.out/missed.txt"
