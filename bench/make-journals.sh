#!/usr/bin/env bash
# Makes the journals of one version of overnight, to be kept as fixtures: scripted runs of every end, and two that are
# not over. Needs a debug build, since only that can be told to die at an append.
#
# usage: [LICENCE=] bench/make-journals.sh OVERNIGHT_BINARY OUT_DIR
#   LICENCE is the goal's line that lets the work change sum.sh, a script that a check starts: version 1 has neither an
#   oracle nor the key, and its journals are made with an empty one.
#   OUT_DIR gets one NAME.db for each run, and for those that are not over NAME.tar.gz: the run's folder and the repository.
set -euo pipefail

binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
# The same place for every version: the fixtures' paths are rewritten by the test that goes on with them.
root=/tmp/overnight-journals
rm -rf "$root"
mkdir -p "$root"
export OVERNIGHT_HOME=$root/home
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.org GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.org
export GIT_AUTHOR_DATE='2026-01-02T03:04:05Z' GIT_COMMITTER_DATE='2026-01-02T03:04:05Z' GIT_CONFIG_GLOBAL=/dev/null

goal() {
    cat >goal.md <<EOF
---
outcome: The sum is right.
done:
  - ${done:-test "\$(sh sum.sh 2 3)" = 5}
keep:
  paths: ["tests/**"]
  checks: ["sh tests/says.sh"]
${LICENCE-use: {oracle: [sum.sh]\}}
stop: {turns: ${turns:-20}, hours: 1}
---
The sum is off by one.
EOF
}

script() { cat >script.yaml; }

# run NAME: lays out a repository, runs it with the goal and the script of the day, and keeps the journal.
run() {
    local name=$1 code=0
    cp goal.md script.yaml "$shop"
    (cd "$shop" && timeout 120 "$binary" run goal.md --yes --model scripted/script.yaml >"$root/$name.log" 2>&1) || code=$?
    keep "$name" "$code"
}

keep() {
    local id
    id=$(ls -t "$OVERNIGHT_HOME/runs" | head -1)
    # With everything of the write-ahead log in the one file.
    python3 - "$OVERNIGHT_HOME/runs/$id/journal.db" "$out/$1.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.execute("VACUUM INTO ?", (sys.argv[2],))
PY
    echo "$1: exit $2"
}

# Those that are not over, whole: with the workspace, the store and the repository.
keep_whole() {
    tar -C "$root" --sort=name --owner=0 --group=0 -czf "$out/$1.tar.gz" home shop
}

fresh() {
    rm -rf "$root/shop" "$OVERNIGHT_HOME" "$out/$1.db" "$out/$1.tar.gz"
    mkdir -p "$root/shop/tests"
    shop=$root/shop
    cd "$shop"
    printf 'echo $(($1 + $2 - 1))\n' >sum.sh
    printf 'test -f sum.sh\n' >tests/says.sh
    git init -q -b main
    git add -A
    git commit -q -m begin
    cd "$root"
    unset done turns
}

fix='edit: {path: sum.sh, old: " - 1", new: ""}'

fresh complete; goal; script <<EOF
turns:
  - claim_done: Nothing was to be done.
  - fail: {kind: rate_limited, retry_after_s: 1}
  - say: I look.
    calls:
      - shell: {command: "cat sum.sh; touch tests/new.sh"}
      - notes: The sum is in sum.sh.
      - plan: {steps: [find it, mend it]}
  - $fix
  - claim_done: Sum without the one
EOF
run complete

fresh blocked; goal; script <<EOF
turns:
  - ask_for_help: {question: Which base?, tried: Ten., unlock: A number.}
EOF
run blocked

fresh out_of_budget; turns=2; goal; script <<EOF
turns:
  - shell: ls
  - shell: cat sum.sh
then: repeat_last
EOF
run out_of_budget

fresh unverifiable; done=no-such-program-anywhere; goal; script <<EOF
turns:
  - claim_done: Done.
EOF
run unverifiable

fresh refused; done='test -f sum.sh'; goal; script <<EOF
turns:
  - claim_done: Done.
EOF
run refused

fresh failed; goal; script <<EOF
turns:
  - shell: ls
EOF
run failed

fresh stopped; goal; script <<EOF
turns:
  - $fix
  - shell: sleep 30
EOF
(sleep 5; cd "$shop" && "$binary" stop last >/dev/null 2>&1) &
run stopped
wait

fresh paused; goal; script <<EOF
turns:
  - shell: sleep 4
  - $fix
  - claim_done: Sum without the one
EOF
(sleep 2; cd "$shop" && "$binary" pause last >/dev/null 2>&1) &
run paused
wait
keep_whole paused

# In the middle of a call: the process dies when it has begun.
fresh killed; goal; script <<EOF
turns:
  - claim_done: Nothing was to be done.
  - $fix
  - claim_done: Sum without the one
EOF
export OVERNIGHT_FAULT_KILL_AFTER_APPEND=${KILL_AT:-12}
run killed
unset OVERNIGHT_FAULT_KILL_AFTER_APPEND
keep_whole killed
rm -rf "$root"
