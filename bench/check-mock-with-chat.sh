#!/usr/bin/env bash
# Checks the mock model server's chat completions against an agent that nobody here wrote: opencode from npm.
#
# usage: bench/check-mock-with-chat.sh
#   MOCK_MODEL=path       a built mock-model, instead of building it
#   OPENCODE_PACKAGE=spec the npm package, default opencode-ai@1.18.33
#
# Installs opencode into a cache folder, lets it play a script with reasoning, two calls at once, failures and awkward
# pieces, and prints PASS or FAIL. Needs node, npm, git and the npm registry. Exit code 0 is PASS, 1 FAIL, 2 that it
# could not be tried.
set -euo pipefail

cd "$(dirname "$0")/.."
package=${OPENCODE_PACKAGE:-opencode-ai@1.18.33}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/overnight-check-opencode
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
if ! npm install --no-save --no-audit --no-fund --prefix "$cache/npm" "$package" >"$cache/npm.log" 2>&1; then
    echo "SKIPPED: npm could not install $package; see $cache/npm.log"
    exit 2
fi
opencode=$cache/npm/node_modules/.bin/opencode
version=$("$opencode" --version 2>/dev/null </dev/null) || {
    echo "SKIPPED: $package does not run here"
    exit 2
}

rm -rf "$run"
mkdir -p "$run/home" "$run/repo"
cat >"$run/script.yaml" <<'YAML'
about: What opencode is to do, through every kind of trouble that it is told to try again after.
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
cat >"$run/repo/opencode.json" <<JSON
{
  "\$schema": "https://opencode.ai/config.json",
  "model": "mock/mock-model",
  "provider": {
    "mock": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "mock",
      "options": {"baseURL": "$address/v1", "apiKey": "sk-mock-0123456789"},
      "models": {"mock-model": {"name": "mock-model", "tool_call": true, "limit": {"context": 100000, "output": 8000}}}
    }
  },
  "permission": {"bash": "allow", "edit": "allow"}
}
JSON

# The commands are the three of the script above, in a folder of their own: nothing needs to be kept from anything.
code=0
(cd "$run/repo" && env -i PATH="$PATH" HOME="$run/home" OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_AUTOUPDATE=1 \
    timeout 180 "$opencode" run --format json "Write the files." </dev/null >"$run/opencode.jsonl" 2>"$run/opencode.err") || code=$?

failures=0
expect() { # what, actual, expected
    if [ "$2" != "$3" ]; then
        echo "FAIL: $1 is $(printf %q "$2"), not $(printf %q "$3")"
        failures=$((failures + 1))
    fi
}
expect "opencode's exit code" "$code" 0
expect "hello.txt" "$(cat "$run/repo/hello.txt" 2>&1)" "hi"
expect "both.txt" "$(cat "$run/repo/both.txt" 2>&1)" "$(printf 'hi\nagain')"
# One line for each request for a turn: turn, outcome. Outcomes are a word or {"failure": kind}. What it asks beside its
# work has the outcome `other`, and so has what the mock refuses: that must not be any request for a turn.
asked=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    lines.sort((a, b) => a.number - b.number);
    const word = (outcome) => typeof outcome === "string" ? outcome : outcome.failure;
    const work = lines.filter((line) => /\/chat\/completions$/.test(line.path) && (line.body?.tools ?? []).length > 0);
    console.log(work.map((line) => `${line.turn}:${word(line.outcome)}`).join(" "));
' "$run/requests.jsonl")
expect "what was asked" "$asked" "1:answer 2:unavailable 2:rate_limited 2:answer 3:answer"
said=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    console.log(lines.filter((line) => line.type === "text").map((line) => line.part.text).join(" | "));
' "$run/opencode.jsonl")
expect "what opencode heard" "$said" "I write it. | Fertig – the files are written."

if [ "$failures" -gt 0 ]; then
    echo "FAIL: opencode $version; see $run"
    exit 1
fi
echo "PASS: opencode $version wrote the files through 2 failures and 5 requests"
