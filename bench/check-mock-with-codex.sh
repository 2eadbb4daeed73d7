#!/usr/bin/env bash
# Checks the mock model server against an agent that nobody here wrote: the Codex CLI from npm.
#
# usage: bench/check-mock-with-codex.sh
#   MOCK_MODEL=path    a built mock-model, instead of building it
#   CODEX_PACKAGE=spec the npm package, default @openai/codex@0.169.0
#
# Installs Codex into a cache folder, lets it play a script whose answers fail, break off and come back, and prints PASS
# or FAIL. Needs node, npm, git and the npm registry. Exit code 0 is PASS, 1 FAIL, 2 that it could not be tried.
set -euo pipefail

cd "$(dirname "$0")/.."
package=${CODEX_PACKAGE:-@openai/codex@0.169.0}
# Not below the temporary folder: Codex refuses to make its helpers there.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/overnight-check-codex
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
codex=$cache/npm/node_modules/.bin/codex

rm -rf "$run"
mkdir -p "$run/home" "$run/repo"
cat >"$run/script.yaml" <<'YAML'
about: What Codex is to do, through every kind of trouble that it is told to try again after.
turns:
  - think: I should write the file.
    say: I write it.
    calls:
      - shell: {command: "echo hi > hello.txt"}
      - shell: {command: "echo again > second.txt"}
  - fail: unavailable
  - fail: {kind: cut}
  - fail: {kind: cut, how: abort}
  - shell: {command: "cat hello.txt second.txt > both.txt"}
    wire: {unknown: true, crlf: true, comments: true, piece_bytes: 7}
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
cat >"$run/home/config.toml" <<TOML
model = "mock-model"
model_provider = "mock"
approval_policy = "never"
[model_providers.mock]
name = "mock"
base_url = "$address/v1"
wire_api = "responses"
env_key = "MOCK_KEY"
request_max_retries = 2
stream_max_retries = 4
stream_idle_timeout_ms = 10000
supports_websockets = false
TOML
git -C "$run/repo" init -q

# The commands are the three of the script above, in a folder of their own: nothing needs to be kept from anything.
code=0
(cd "$run/repo" && CODEX_HOME="$run/home" MOCK_KEY=sk-mock-0123456789 timeout 120 \
    "$codex" exec --json --sandbox danger-full-access "Write the files." </dev/null >"$run/codex.jsonl" 2>"$run/codex.err") || code=$?

failures=0
expect() { # what, actual, expected
    if [ "$2" != "$3" ]; then
        echo "FAIL: $1 is $(printf %q "$2"), not $(printf %q "$3")"
        failures=$((failures + 1))
    fi
}
expect "Codex's exit code" "$code" 0
expect "hello.txt" "$(cat "$run/repo/hello.txt" 2>&1)" "hi"
expect "both.txt" "$(cat "$run/repo/both.txt" 2>&1)" "$(printf 'hi\nagain')"
# One line for each request: turn, outcome. Outcomes are a word or {"failure": kind}.
asked=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    lines.sort((a, b) => a.number - b.number);
    const word = (outcome) => typeof outcome === "string" ? outcome : outcome.failure;
    console.log(lines.filter((line) => line.turn > 0).map((line) => `${line.turn}:${word(line.outcome)}`).join(" "));
' "$run/requests.jsonl")
expect "what was asked" "$asked" "1:answer 2:unavailable 2:cut 2:cut 2:answer 3:answer"
said=$(node -e '
    const lines = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const messages = lines.filter((line) => line.type === "item.completed" && line.item.type === "agent_message");
    console.log(messages.map((line) => line.item.text).join(" | "));
' "$run/codex.jsonl")
expect "what Codex heard" "$said" "I write it. | Fertig – the files are written."

version=$("$codex" --version 2>/dev/null || echo "$package")
if [ "$failures" -gt 0 ]; then
    echo "FAIL: $version; see $run"
    exit 1
fi
echo "PASS: $version wrote the files through 3 failures and 6 requests"
