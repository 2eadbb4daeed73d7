// The official OpenAI SDK against the mock server: `node sdk.mjs BASE_URL`, run from a folder that has `openai`.
// Prints one JSON line; any surprise is an exception.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const OpenAI = require("openai").default;
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-mock-0123456789", maxRetries: 0 });
const tools = [
  { type: "function", name: "shell", strict: false, parameters: { type: "object", properties: { command: { type: "string" } } } },
  { type: "function", name: "claim_done", strict: false, parameters: { type: "object", properties: { summary: { type: "string" } } } },
];

// One turn through the SDK's stream helper, which builds the answer from the deltas and objects to any wrong sequence.
async function turn(input) {
  const stream = client.responses.stream({ model: "mock-model", input, tools, store: false, include: ["reasoning.encrypted_content"] });
  const deltas = { text: "", arguments: "" };
  let number = 0;
  const kinds = new Set();
  for await (const event of stream) {
    assert.equal(event.sequence_number, number++, "the events are numbered without a gap");
    kinds.add(event.type);
    if (event.type === "response.output_text.delta") deltas.text += event.delta;
    if (event.type === "response.function_call_arguments.delta") deltas.arguments += event.delta;
  }
  return { response: await stream.finalResponse(), deltas, kinds };
}

const input = [{ role: "user", content: "go" }];
let answers = 0;
for (;;) {
  const { response, deltas, kinds } = await turn(input);
  answers += 1;
  assert.equal(response.status, "completed");
  assert.equal(response.output_text, deltas.text);
  const calls = response.output.filter((item) => item.type === "function_call");
  assert.equal(calls.map((call) => call.arguments).join(""), deltas.arguments);
  for (const kind of ["response.created", "response.in_progress", "response.output_item.added", "response.output_item.done", "response.completed"]) {
    assert.ok(kinds.has(kind), kind);
  }
  assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
  input.push(...response.output);
  for (const call of calls) {
    assert.ok(JSON.parse(call.arguments));
    input.push({ type: "function_call_output", call_id: call.call_id, output: "fine" });
  }
  if (calls.some((call) => call.name === "claim_done")) break;
  assert.ok(answers < 10, "the script ends with a claim");
}

// After the last answer the script ends; before that, its failures come as the SDK's own errors.
await assert.rejects(turn(input), (error) => error instanceof OpenAI.BadRequestError && error.code === "script_ended");
const other = (n) => [{ type: "function_call", call_id: `call_t${n}_0`, name: "shell", arguments: "{}" }, { type: "function_call_output", call_id: `call_t${n}_0`, output: "" }];
await assert.rejects(turn(other(99)), (error) => error.status === 400);

const whole = await client.responses.create({ model: "mock-model", input: "go" });
assert.equal(whole.output_text, "I look – ä 😀.");
const models = await client.models.list();
assert.equal(models.data[0].id, "mock-model");
console.log(JSON.stringify({ answers }));
