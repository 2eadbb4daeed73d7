// The official OpenAI SDK against the mock server's chat completions: `node sdk-chat.mjs BASE_URL`, run from a folder
// that has `openai`. Prints one JSON line; any surprise is an exception.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const OpenAI = require("openai").default;
const client = new OpenAI({ baseURL: process.argv[2], apiKey: "sk-mock-0123456789", maxRetries: 0 });
const tool = (name, argument) => ({
  type: "function",
  function: { name, parameters: { type: "object", properties: { [argument]: { type: "string" } } } },
});
const tools = [tool("shell", "command"), tool("claim_done", "summary")];

// One turn through the SDK's stream helper, which builds the message from the chunks and objects to any wrong sequence.
async function turn(messages) {
  const stream = client.chat.completions.stream({ model: "mock-model", messages, tools, stream_options: { include_usage: true } });
  let text = "";
  const done = [];
  stream.on("content.delta", ({ delta }) => (text += delta));
  stream.on("tool_calls.function.arguments.done", (call) => done.push(call.arguments));
  const completion = await stream.finalChatCompletion();
  return { completion, text, done };
}

const messages = [{ role: "user", content: "go" }];
let answers = 0;
for (;;) {
  const { completion, text, done } = await turn(messages);
  answers += 1;
  const [choice] = completion.choices;
  const calls = choice.message.tool_calls ?? [];
  assert.equal(choice.message.role, "assistant");
  assert.equal(choice.message.content ?? "", text);
  assert.equal(choice.finish_reason, calls.length > 0 ? "tool_calls" : "stop");
  assert.deepEqual(calls.map((call) => call.function.arguments), done);
  assert.equal(completion.usage.total_tokens, completion.usage.prompt_tokens + completion.usage.completion_tokens);
  messages.push(choice.message);
  for (const call of calls) {
    assert.ok(JSON.parse(call.function.arguments));
    messages.push({ role: "tool", tool_call_id: call.id, content: "fine" });
  }
  if (calls.some((call) => call.function.name === "claim_done")) break;
  assert.ok(answers < 10, "the script ends with a claim");
}

// After the last answer the script ends, and what OpenAI refuses is refused: both as the SDK's own errors.
await assert.rejects(turn(messages), (error) => error instanceof OpenAI.BadRequestError && error.code === "script_ended");
await assert.rejects(turn(messages.slice(0, 2)), (error) => error.status === 400 && /tool_call_id/.test(error.message));

const whole = await client.chat.completions.create({ model: "mock-model", messages: messages.slice(0, 1), tools });
assert.equal(whole.choices[0].message.content, "I look – ä 😀.");
assert.equal(whole.choices[0].message.tool_calls.length, 2);
// Asked beside the work, without tools, it says something and plays nothing.
const aside = await client.chat.completions.create({ model: "mock-model", messages: messages.slice(0, 1) });
assert.equal(aside.choices[0].message.content, "ok");
console.log(JSON.stringify({ answers }));
