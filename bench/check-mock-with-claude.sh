#!/usr/bin/env bash
# Checks the mock model server's Messages against an agent that nobody here wrote: Claude Code from npm.
#
# usage: bench/check-mock-with-claude.sh
#   MOCK_MODEL=path     a built mock-model, instead of building it
#   CLAUDE_PACKAGE=spec the npm package, default @anthropic-ai/claude-code@2.1.330
#
# Installs Claude Code into a cache folder, lets it play a script with thinking, two calls at once, failures and
# awkward pieces, and prints PASS or FAIL. Needs node, npm, git and the npm registry. Exit code 0 is PASS, 1 FAIL, 2 that it
# could not be tried.
set -euo pipefail

cd "$(dirname "$0")/.."
package=${CLAUDE_PACKAGE:-@anthropic-ai/claude-code@2.1.330}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/overnight-check-claude
run=$cache/run
server=

stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
}
trap stop EXIT

for program in node npm git; do
    if ! command -v "$program" >/dev/null; then
        echo "SKIPPED: $program is not installed"
        exit 2
    fi
done
mock=${MOCK_MODEL:-}
if [ -z "$mock" ]; then
    cargo build -q -p sim --bin mock-model
    mock=${CARGO_TARGET_DIR:-target}/debug/mock-model
fi
mkdir -p "$cache/npm"
# Its engine demand is about its launcher; the program itself is native and runs without that node.
if ! npm install --no-save --no-audit --no-fund --force --prefix "$cache/npm" "$package" >"$cache/npm.log" 2>&1; then
    echo "SKIPPED: npm could not install $package; see $cache/npm.log"
    exit 2
fi
claude=$cache/npm/node_modules/.bin/claude
version=$("$claude" --version 2>/dev/null </dev/null) || {
    echo "SKIPPED: $package does not run here"
    exit 2
}

rm -rf "$run"
mkdir -p "$run/home" "$run/repo"
cat >"$run/script.yaml" <<'YAML'
about: What Claude Code is to do, through every kind of trouble that it is told to try again after.
turns:
  - think: I should write the file – ä.
    say: I write it.
    calls:
      - shell: {command: "echo hi > hello.txt"}
      - shell: {command: "echo again > second.txt"}
  - fail: {kind: unavailable, retry_after_s: 0.1}
  - fail: {kind: rate_limited, retry_after_s: 0.1}
  - shell: {command: "cat hello.txt second.txt > both.txt"}
    wire: {crlf: true, comments: true, piece_bytes: 7}
    usage: {input: 1500, cached: 1000, output: 30}
  - claim_done: "Fertig – the files are written."
YAML
"$mock" --port 0 --script "$run/script.yaml" --log "$run/requests.jsonl" >"$run/mock.out" &
server=$!
for _ in $(seq 100); do
    if grep -q '^listening on ' "$run/mock.out"; then break; fi
    sleep 0.05
done
address=$(sed -n 's/^listening on //p' "$run/mock.out")
if [ -z "$address" ]; then
    echo "FAIL: the mock server did not start"
    exit 1
fi
git -C "$run/repo" init -q

# The commands are the three of the script above, in a folder of their own: nothing needs to be kept from anything.
code=0
(cd "$run/repo" && env -i PATH="$PATH" HOME="$run/home" ANTHROPIC_BASE_URL="$address" ANTHROPIC_API_KEY=sk-mock-0123456789 \
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1 timeout 120 \
    "$claude" -p "Write the files." --output-format stream-json --verbose --allowedTools Bash \
    </dev/null >"$run/claude.jsonl" 2>"$run/claude.err") || code=$?

failures=0
expect() { # what, actual, expected
    if [ "$2" != "$3" ]; then
        echo "FAIL: $1 is $(printf %q "$2"), not $(printf %q "$3")"
        failures=$((failures + 1))
    fi
}
expect "Claude Code's exit code" "$code" 0
expect "hello.txt" "$(cat "$run/repo/hello.txt" 2>&1)" "hi"
expect "both.txt" "$(cat "$run/repo/both.txt" 2>&1)" "$(printf 'hi\nagain')"
# One line for each request for a turn: turn, outcome. Outcomes are a word or {"failure": kind}. What it asks beside its
# work has the outcome `other`, and so has what the mock refuses: that must not be any request for a turn.
asked=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    lines.sort((a, b) => a.number - b.number);
    const word = (outcome) => typeof outcome === "string" ? outcome : outcome.failure;
    const work = lines.filter((line) => /\/messages(\?|$)/.test(line.path) && (line.body?.tools ?? []).length > 0);
    console.log(work.map((line) => `${line.turn}:${word(line.outcome)}`).join(" "));
' "$run/requests.jsonl")
expect "what was asked" "$asked" "1:answer 2:unavailable 2:rate_limited 2:answer 3:answer"
# The thinking came back as it went out, with its signature: the mock refuses anything else.
thought=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const last = lines.filter((line) => line.turn === 3).at(-1);
    const blocks = (last?.body?.messages ?? []).flatMap((message) => Array.isArray(message.content) ? message.content : []);
    console.log(blocks.filter((block) => block.type === "thinking").map((block) => block.thinking).join(" | "));
' "$run/requests.jsonl")
expect "the thinking that came back" "$thought" "I should write the file – ä."
said=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const result = lines.find((line) => line.type === "result");
    console.log(`${result?.subtype}: ${result?.result}`);
' "$run/claude.jsonl")
expect "what Claude Code says at the end" "$said" "success: Fertig – the files are written."

if [ "$failures" -gt 0 ]; then
    echo "FAIL: Claude Code $version; see $run"
    exit 1
fi
echo "PASS: Claude Code $version wrote the files through 2 failures and 5 requests"
