#!/usr/bin/env bash
# Makes the journals of one version of overnight, to be kept as fixtures: scripted runs of every end, two that are not
# over, and from version 3 on a worklist, once whole and once not over. Needs a debug build, since only that can be told to
# die at an append.
#
# usage: [LICENCE=] [ONLY=FAMILY] bench/make-journals.sh OVERNIGHT_BINARY OUT_DIR
#   ONLY names the family of runs to make (`ends`, `worklist`); both without it.
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

# A backlog of four: one error that is fixed, two that are diagnosed, one of them after a diagnosis without a citation, and
# one that is fixed after a closing that its checks refuse. A fifth appears while the run works.
backlog() {
    cat >"$shop/backlog.sh" <<'EOF'
echo '{"id": "T-1", "title": "The sum of two and three is four", "body": "sum.sh takes one off", "priority": "P1"}'
echo '{"id": "T-2", "title": "The sum of a word fails", "created": "2026-01-02"}'
echo '{"id": "T-3", "title": "The sum of five and five is nine", "tags": ["again"]}'
echo '{"id": "T-4", "title": "There is no product"}'
test ! -f "$OVERNIGHT_HOME/listed" || echo '{"id": "T-5", "title": "There is no quotient"}'
touch "$OVERNIGHT_HOME/listed"
EOF
    (cd "$shop" && git add -A && git commit -q -m backlog)
    cat >goal.md <<'EOF'
---
outcome: The sum is right.
items:
  from: command
  run: sh backlog.sh
  outcomes: [fixed, diagnosed]
  each: ["sh tests/says.sh", "test ! -f product.sh || sh product.sh 2 3 | grep -qx 6"]
  act: cat >>"$OVERNIGHT_HOME/acts.jsonl"; echo told
done: ['test "$(sh sum.sh 2 3)" = 5']
keep: {paths: ["tests/**"], checks: ["sh tests/says.sh"]}
use: {oracle: [sum.sh, product.sh]}
next: {attempts: 3}
stop: {turns: 40, hours: 1}
---
The sum is off by one.
EOF
    script <<'EOF'
items:
  T-1:
    - say: I look.
      shell: cat sum.sh
    - edit: {path: sum.sh, old: " - 1", new: ""}
    - close_item: {id: T-1, outcome: fixed, evidence: "Sum without the one"}
  T-2:
    - close_item: {id: T-2, outcome: diagnosed, evidence: "A word is no number."}
    - close_item: {id: T-2, outcome: diagnosed, evidence: "The shell reads a word as a variable, see sum.sh:1."}
  T-3:
    - close_item: {id: T-3, outcome: diagnosed, evidence: "It is T-1, see sum.sh:1."}
  T-4:
    - write: {path: product.sh, content: "echo 5\n"}
    - close_item: {id: T-4, outcome: fixed, evidence: "There is one"}
    - write: {path: product.sh, content: "echo $(($1 * $2))\n"}
    - close_item: {id: T-4, outcome: fixed, evidence: "A product"}
turns:
  - claim_done: Everything is closed
EOF
}

if [ "${ONLY:-worklist}" = worklist ]; then
    fresh worklist
    backlog
    run worklist

    # Some items are closed, and another is at work.
    fresh worklist-killed
    backlog
    export OVERNIGHT_FAULT_KILL_AFTER_APPEND=${WORKLIST_KILL_AT:-45}
    run worklist-killed
    unset OVERNIGHT_FAULT_KILL_AFTER_APPEND
    keep_whole worklist-killed
fi
if [ "${ONLY:-ends}" != ends ]; then
    rm -rf "$root"
    exit
fi

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
