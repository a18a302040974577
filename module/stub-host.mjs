// A module in a host that stands in for Envoy, for `watch.py`: it has the functions
// that the exchanges below need, and says of the others that all is well.
//
//     node stub-host.mjs MODULE FUNCTIONS CONDITIONS
//
// The module writes notes: on so many functions, and on so many conditions. What
// they are when every exchange has happened a second time is printed, as JSON.

import { createECDH, createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [, , MODULE, FUNCTIONS, CONDITIONS] = process.argv;

const NOW_S = 1_800_000_000;
const RESOURCE = 'https://mcp.example/mcp';
const OK = 0;
const NOT_FOUND = 1;
const EMPTY = 7;
const Buffers = { requestBody: 0, responseBody: 1, configuration: 7 };
const CONTINUE = 0;
const ROOT = 1;

// === tokens ===

/** Bytes that look like chance and are always the same. */
function bytesOf(name, size) {
  const parts = [];
  for (let part = 0; part * 32 < size; part += 1) {
    parts.push(createHash('sha256').update(`${name} ${part}`).digest());
  }
  return Buffer.concat(parts).subarray(0, size);
}

/** Keys of which nobody has the other half: what they sign, this host says is right. */
function publicKeys() {
  const modulus = bytesOf('modulus', 256);
  modulus[0] |= 0x80;
  modulus[255] |= 1;
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(bytesOf('point', 32));
  const point = curve.getPublicKey();
  return {
    RS256: { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' },
    ES256: {
      kty: 'EC',
      crv: 'P-256',
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
  };
}

const keys = publicKeys();
const SIGNATURE_BYTES = { RS256: 256, ES256: 64 };

let made = 0;

function token(alg) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'https://issuer.example',
    aud: RESOURCE,
    sub: 'user',
    client_id: 'client',
    scope: 'mcp:read',
    iat: NOW_S,
    exp: NOW_S + 3600,
    jti: String((made += 1)),
  };
  const signature = bytesOf(`signature ${made}`, SIGNATURE_BYTES[alg]);
  return `${part({ alg, typ: 'at+jwt', kid: alg })}.${part(claims)}.${signature.toString('base64url')}`;
}

const configuration = {
  header_mode: 'holding',
  issuers: [
    {
      id: 'issuer',
      issuer: 'https://issuer.example',
      algorithms: Object.keys(keys),
      keys: {
        inline: {
          keys: Object.entries(keys).map(([alg, key]) => ({ ...key, kid: alg, alg, use: 'sig' })),
        },
      },
    },
  ],
  servers: [
    {
      id: 'server',
      resource: RESOURCE,
      issuers: ['issuer'],
      scopes: ['mcp:read'],
      rules: [
        { id: 'some', what: { tools: ['some-*'] } },
        { id: 'rest', what: { methods: ['*'] } },
        {
          id: 'one',
          what: { tools: ['one'] },
          arguments: [{ argument: 'limit', maximum: 100 }],
        },
      ],
    },
  ],
};

// === the host ===

const bytes = (value) => Buffer.from(value);
const given = { headers: { 0: [], 2: [] }, [Buffers.configuration]: bytes(JSON.stringify(configuration)) };
let wasm;

const memory = () => Buffer.from(wasm.memory.buffer);
const read = (start, size) => Buffer.from(memory().subarray(start, start + size));

function give(value, start, size) {
  const place = value.length === 0 ? 0 : wasm.proxy_on_memory_allocate(value.length);
  memory().set(value, place);
  memory().writeUInt32LE(place, start);
  memory().writeUInt32LE(value.length, size);
  return OK;
}

/** A header map in the form of the ABI. */
function pairs(headers) {
  const parts = Object.entries(headers).map((pair) => pair.map(bytes));
  const numbers = [parts.length, ...parts.flat().map((part) => part.length)];
  const words = numbers.map((number) => {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(number);
    return word;
  });
  return Buffer.concat([...words, ...parts.flat().flatMap((part) => [part, bytes('\0')])]);
}

/** The fields of Envoy's `VerifySignatureArguments`, by number. */
function fields(message) {
  const found = {};
  let position = 0;
  const varint = () => {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[position++];
      number |= (byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
  };
  while (position < message.length) {
    const field = varint() >> 3;
    const size = varint();
    found[field] = message.subarray(position, position + size);
    position += size;
  }
  return found;
}

const ownKeys = Object.values(keys).map((key) =>
  createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'der' }),
);

/** Whether the signature is right; what cannot be verified is not. */
function isRight({ 1: hash, 2: der, 3: signature, 4: text }) {
  if (ownKeys.some((key) => key.equals(der))) return true;
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify(hash.toString(), text, key, signature);
  } catch {
    return false;
  }
}

const verifySignature = (message) => Buffer.from(isRight(fields(message)) ? [8, 1] : []);

const functions = {
  proxy_get_current_time_nanoseconds(time) {
    memory().writeBigUInt64LE(BigInt(NOW_S) * 1_000_000_000n, time);
    return OK;
  },
  proxy_get_header_map_pairs: (map, start, size) => give(pairs(given.headers[map]), start, size),
  proxy_get_buffer_bytes: (buffer, from, most, start, size) =>
    give(given[buffer].subarray(from, from + (most >>> 0)), start, size),
  proxy_define_metric(kind, name, size, id) {
    memory().writeUInt32LE(1, id);
    return OK;
  },
  proxy_register_shared_queue: (name, size, id) => functions.proxy_define_metric(0, name, size, id),
  proxy_dequeue_shared_queue: () => EMPTY,
  proxy_get_property: () => NOT_FOUND,
  proxy_call_foreign_function: (name, nameSize, value, size, start, length) =>
    read(name, nameSize).toString() === 'verify_signature'
      ? give(verifySignature(read(value, size)), start, length)
      : NOT_FOUND,
};

const wasi = {
  random_get(start, size) {
    memory().fill(7, start, start + size);
    return OK;
  },
  clock_time_get: (clock, precision, time) => functions.proxy_get_current_time_nanoseconds(time),
  environ_sizes_get(count, size) {
    memory().writeUInt32LE(0, count);
    memory().writeUInt32LE(0, size);
    return OK;
  },
  proc_exit(status) {
    throw new Error(`the module has exited with ${status}`);
  },
};

const compiled = new WebAssembly.Module(readFileSync(MODULE));
const imports = { env: {}, wasi_snapshot_preview1: {} };
for (const { module, name } of WebAssembly.Module.imports(compiled)) {
  imports[module][name] = (module === 'env' ? functions : wasi)[name] ?? (() => OK);
}
wasm = new WebAssembly.Instance(compiled, imports).exports;
wasm._initialize();
wasm.proxy_on_context_create(ROOT, 0);
if (!wasm.proxy_on_configure(ROOT, given[Buffers.configuration].length)) {
  throw new Error('the module refuses the configuration');
}

// === the flows ===

const message = (method, params) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
const call = (name, limit) => message('tools/call', { name, arguments: { limit } });
const answer = (result) => JSON.stringify({ jsonrpc: '2.0', id: 1, result });
const event = (data) => `event: message\ndata: ${data}\n\n`;
const JSON_TYPE = 'application/json';
const DONE = answer({ content: [{ type: 'text', text: 'done' }] });
const tools = ['one', 'some-other', 'hidden'].map((name) => ({ name, inputSchema: { type: 'object' } }));

let streams = ROOT;

/** One exchange; what goes on is what the module lets go on. */
function exchange({ authorization, body, type = JSON_TYPE, parts }) {
  streams += 1;
  given.headers[0] = {
    ':authority': 'mcp.example',
    ':path': '/mcp',
    ':method': 'POST',
    ':scheme': 'https',
    ...(authorization && { authorization: `Bearer ${authorization}` }),
    'content-type': JSON_TYPE,
    accept: 'application/json, text/event-stream',
    'accept-encoding': 'gzip, deflate',
    'mcp-protocol-version': '2025-11-25',
    'content-length': String(body.length),
    'x-forwarded-proto': 'https',
    'x-request-id': '8d59701b-f7d1-49d7-93ab-400fa8b0641a',
  };
  given[Buffers.requestBody] = bytes(body);
  wasm.proxy_on_context_create(streams, ROOT);
  wasm.proxy_on_request_headers(streams, Object.keys(given.headers[0]).length, 0);
  const goesOn = wasm.proxy_on_request_body(streams, body.length, 1) === CONTINUE;
  if (goesOn !== Boolean(parts)) {
    throw new Error(`the module should ${parts ? 'permit' : 'refuse'} ${body}`);
  }
  given.headers[2] = { ':status': '200', 'content-type': type, 'content-length': '100' };
  if (parts) {
    wasm.proxy_on_response_headers(streams, 3, 0);
    parts.forEach((part, place) => {
      given[Buffers.responseBody] = bytes(part);
      wasm.proxy_on_response_body(streams, part.length, Number(place === parts.length - 1));
    });
  }
  wasm.proxy_on_log(streams);
  wasm.proxy_on_delete(streams);
}

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
