// A host that stands in for Envoy: it has the functions that the exchanges of
// `exchange` need, and says of the others that all is well. It knows neither the
// time nor chance, so that the same exchanges always do the same.

import { createECDH, createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

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

/** A token that nobody has seen. */
export function token(alg) {
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

/** The module in this host, configured: what it exports. */
export function load(file) {
  const compiled = new WebAssembly.Module(readFileSync(file));
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
  return wasm;
}

// === exchanges ===

export const message = (method, params) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
export const call = (name, limit) => message('tools/call', { name, arguments: { limit } });
export const answer = (result) => JSON.stringify({ jsonrpc: '2.0', id: 1, result });
export const event = (data) => `event: message\ndata: ${data}\n\n`;
const JSON_TYPE = 'application/json';
export const DONE = answer({ content: [{ type: 'text', text: 'done' }] });

let streams = ROOT;

/** One exchange; what goes on is what the module lets go on. */
export function exchange({ authorization, body, type = JSON_TYPE, parts }) {
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
