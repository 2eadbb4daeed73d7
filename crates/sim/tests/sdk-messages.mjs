// The official Anthropic SDK against the mock server: `node sdk-messages.mjs ADDRESS`, run from a folder that has
// `@anthropic-ai/sdk`. Prints one JSON line; any surprise is an exception.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const Anthropic = require("@anthropic-ai/sdk").default;
const client = new Anthropic({ baseURL: process.argv[2], apiKey: "sk-mock-0123456789", maxRetries: 0 });
const tool = (name, argument) => ({ name, input_schema: { type: "object", properties: { [argument]: { type: "string" } } } });
const tools = [tool("shell", "command"), tool("claim_done", "summary")];
const ask = { model: "mock-model", max_tokens: 1000, tools };

// One turn through the SDK's stream helper, which builds the message from the events and objects to any wrong sequence.
async function turn(messages) {
  const stream = client.messages.stream({ ...ask, messages });
  const deltas = { text: "", thinking: "", input: "" };
  stream.on("text", (delta) => (deltas.text += delta));
  stream.on("thinking", (delta) => (deltas.thinking += delta));
  stream.on("inputJson", (delta) => (deltas.input += delta));
  return { message: await stream.finalMessage(), deltas };
}

const messages = [{ role: "user", content: "go" }];
let answers = 0;
for (;;) {
  const { message, deltas } = await turn(messages);
  answers += 1;
  const of = (type) => message.content.filter((block) => block.type === type);
  assert.equal(of("text").map((block) => block.text).join(""), deltas.text);
  assert.equal(of("thinking").map((block) => block.thinking).join(""), deltas.thinking);
  assert.ok(of("thinking").every((block) => block.signature.startsWith("scripted-")));
  assert.equal(of("tool_use").map((block) => JSON.stringify(block.input)).join(""), deltas.input);
  assert.equal(message.stop_reason, of("tool_use").length > 0 ? "tool_use" : "end_turn");
  assert.ok(message.usage.input_tokens + message.usage.cache_read_input_tokens > 0 && message.usage.output_tokens > 1);
  messages.push({ role: "assistant", content: message.content });
  const results = of("tool_use").map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "fine" }));
  messages.push({ role: "user", content: results });
  if (of("tool_use").some((call) => call.name === "claim_done")) break;
  assert.ok(answers < 10, "the script ends with a claim");
}

// After the last answer the script ends, and what Anthropic refuses is refused: both as the SDK's own errors.
const refused = (words) => (error) => error instanceof Anthropic.BadRequestError && words.test(error.message);
await assert.rejects(turn(messages), refused(/script_ended/));
await assert.rejects(turn(messages.slice(0, 2)), refused(/without `tool_result` blocks/));
const forged = structuredClone(messages.slice(0, 3));
forged[1].content[0].thinking = "Something else.";
await assert.rejects(turn(forged), refused(/Invalid `signature`/));

const whole = await client.messages.create({ ...ask, messages: messages.slice(0, 1) });
assert.deepEqual(whole.content.map((block) => block.type), ["thinking", "text", "tool_use", "tool_use"]);
assert.equal(whole.content[1].text, "I look – ä 😀.");
// Asked beside the work, without tools, it says something and plays nothing.
const aside = await client.messages.create({ model: "mock-model", max_tokens: 10, messages: messages.slice(0, 1) });
assert.equal(aside.content[0].text, "ok");
assert.ok((await client.messages.countTokens({ model: "mock-model", messages: messages.slice(0, 1) })).input_tokens > 0);
console.log(JSON.stringify({ answers }));
