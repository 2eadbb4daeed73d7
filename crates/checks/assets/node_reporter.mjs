// A reporter for Node's own test runner: how each test ended, one JSON object a line.
//
// The built-in reporters name no file, so two tests of the same title in two files could not be told apart.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The test's file relative to the working directory, `/`-separated. */
function place(file) {
  if (!file) return [];
  const local = file.startsWith('file:') ? fileURLToPath(file) : file;
  const relative = path.relative(process.cwd(), local);
  return [(relative.startsWith('..') ? local : relative).split(path.sep).join('/')];
}

export default async function* report(source) {
  // The open tests, outermost first: their names, whether a test below was reported, and whether one failed.
  const open = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      open.length = data.nesting;
      open[data.nesting] = { name: data.name, below: false, failed: false };
      continue;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const self = open[data.nesting];
    const groups = open.slice(0, data.nesting);
    const below = self !== undefined && self.name === data.name && self.below;
    open.length = data.nesting;
    const failed = type === 'test:fail' && data.todo === undefined;
    const skipped = data.skip !== undefined || data.todo !== undefined;
    const suite = data.details?.type === 'suite';
    // A group is no test, unless it fails and nothing below it says why.
    const group = below || suite;
    if (group && (!failed || self?.failed)) continue;
    for (const around of groups) {
      if (!around) continue;
      around.below = true;
      around.failed ||= failed;
    }
    const file = place(data.file);
    let names = [...groups.map((group) => group?.name ?? ''), data.name];
    // Some versions of node run each file as a test named by its path.
    if (names.length && path.isAbsolute(names[0])) names = place(names[0]).concat(names.slice(1));
    if (names[0] !== file[0]) names = file.concat(names);
    yield `${JSON.stringify({ name: names, status: failed ? 'failed' : skipped ? 'skipped' : 'passed' })}\n`;
  }
  yield `${JSON.stringify({ end: true })}\n`;
}
