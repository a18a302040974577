// What a module needs in memory while it is offered tokens that it has never seen.
//
//     node tokens.mjs MODULE TOKENS
//
// For each twentieth of the tokens, a line with how many there were and the bytes
// of the module's memory is printed, as JSON.

import { DONE, call, exchange, load, token } from './stub-host.mjs';

const [, , MODULE, TOKENS] = process.argv;
const ALGORITHMS = ['ES256', 'RS256'];

const wasm = load(MODULE);
const body = call('some-tool', 1);
const every = Math.ceil(Number(TOKENS) / 20);
for (let offered = 1; offered <= Number(TOKENS); offered += 1) {
  const authorization = token(ALGORITHMS[offered % ALGORITHMS.length]);
  exchange({ authorization, body, parts: [DONE] });
  if (offered % every === 0) {
    console.log(JSON.stringify({ offered, bytes: wasm.memory.buffer.byteLength }));
  }
}
