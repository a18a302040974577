// The usual exchanges with a module that notes what they do in it, for `watch.py`.
//
//     node watched.mjs MODULE FUNCTIONS CONDITIONS
//
// The module writes notes: on so many functions, and on so many conditions. What
// they are when every exchange has happened a second time is printed, as JSON.

import { DONE, answer, call, event, exchange, load, message, token } from './stub-host.mjs';

const [, , MODULE, FUNCTIONS, CONDITIONS] = process.argv;

const wasm = load(MODULE);

const tools = ['one', 'some-other', 'hidden'].map((name) => ({ name, inputSchema: { type: 'object' } }));
const known = token('ES256');
const flows = [
  () => exchange({ authorization: known, body: call('some-tool', 1), parts: [DONE] }),
  () => exchange({ authorization: known, body: call('one', 1), parts: [DONE] }),
  () => exchange({ authorization: token('RS256'), body: call('some-tool', 1), parts: [DONE] }),
  () => exchange({ authorization: token('ES256'), body: call('some-tool', 1), parts: [DONE] }),
  () => exchange({ authorization: known, body: message('tools/list', {}), parts: [answer({ tools })] }),
  () =>
    exchange({
      authorization: known,
      body: call('some-tool', 1),
      type: 'text/event-stream',
      parts: [event(message('notifications/progress', { progressToken: 1, progress: 1 })), event(DONE)],
    }),
  () => exchange({ body: call('some-tool', 1) }),
  () => exchange({ authorization: known, body: call('unknown', 1) }),
];

// === what they do in the module ===

const NUMBER_BYTES = 4;
const PAGE_BYTES = 65536;

const numbers = Number(FUNCTIONS) + 2 * Number(CONDITIONS);
const address = wasm.memory.grow(Math.ceil((numbers * NUMBER_BYTES) / PAGE_BYTES)) * PAGE_BYTES;
wasm.watch_address.value = address;
const notes = () => new Uint32Array(wasm.memory.buffer, address, numbers);

flows.forEach((flow) => flow());
// The first time, things happen that never happen again.
notes().fill(0);
wasm.watch_called.value = 0;
flows.forEach((flow) => flow());

const [...all] = notes();
const called = [...all.slice(0, FUNCTIONS).entries()]
  .filter(([, order]) => order > 0)
  .sort(([, one], [, other]) => one - other)
  .map(([place]) => place);
const ways = [];
for (let place = 0; place < Number(CONDITIONS); place += 1) {
  const at = Number(FUNCTIONS) + 2 * place;
  const [no, yes] = all.slice(at, at + 2);
  if (no + yes > 0) ways.push([place, no, yes]);
}
console.log(JSON.stringify({ called, ways }));
