#!/usr/bin/env bash
# Plants single faults in the state machine (core's step/ with its worklists, stop.rs, effect.rs and worklist.rs) and says
# which of them core's own tests do not notice. On demand: some seconds for each fault, hours for all of them on two cores.
#
# usage: bench/mutants.sh [ARGUMENTS FOR cargo mutants]
#   bench/mutants.sh --list                          which faults there are
#   bench/mutants.sh --shard 0/8                     every eighth of them
#   bench/mutants.sh -f 'crates/core/src/stop.rs'    those of one file
#   OVERNIGHT_CI_TOOLS=DIR   where cargo-mutants is installed if it is missing; default: target/ci-tools
#   OVERNIGHT_MUTANTS=DIR    where the results go; default: target/mutants
set -euo pipefail

cd "$(dirname "$0")/.."
tools=${OVERNIGHT_CI_TOOLS:-$PWD/target/ci-tools}
out=${OVERNIGHT_MUTANTS:-target/mutants}
# The longest that one build and one run of the tests may take, seconds: a fault can make a loop endless.
build_timeout_s=600
test_timeout_s=60

export PATH="$tools/cargo-mutants/bin:$PATH"
if ! cargo mutants --version >/dev/null 2>&1; then
    cargo install --quiet --locked --root "$tools/cargo-mutants" cargo-mutants
fi

files=(-f 'crates/core/src/step/**/*.rs' -f crates/core/src/stop.rs -f crates/core/src/effect.rs -f crates/core/src/worklist.rs)
for argument in "$@"; do
    case $argument in
    -f | --file | --file=*) files=() ;;
    --list) list=true ;;
    esac
done
run=(cargo mutants -p overnight-core "${files[@]}" --exclude '**/*tests.rs' --exclude '**/table.rs' "$@")
if [ "${list:-false}" = true ]; then
    exec "${run[@]}"
fi

mkdir -p "$out"
# What is built stays, so that a further shard builds no dependency again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target/mutants-build}" CARGO_INCREMENTAL=1
# Debug information is of no use here, and takes half the time. The tests of the state machine are those named `step`; the
# one that plays every short run takes ten times as long as the others together, so what is missed here it may notice.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 PROPTEST_CASES="${PROPTEST_CASES:-64}"
# Survivors are figures here, not an error: 2 is cargo-mutants' word for some that were missed, 3 for some that hung.
status=0
"${run[@]}" --output "$out" --jobs 1 --build-timeout "$build_timeout_s" --timeout "$test_timeout_s" --baseline skip \
    -- --lib step:: -- --skip every_short_run || status=$?
[ "$status" -le 3 ] || exit "$status"
count() { wc -l <"$out/mutants.out/$1.txt"; }
echo "mutants: $(count caught) caught, $(count missed) missed, $(count timeout) ended by the clock, $(count unviable) do not compile"
cat "$out/mutants.out/missed.txt"
