// An authorization server of the demonstration; it runs twice, each time with
// settings of its own.
//
//     node server.js SETTINGS.json
//
// The settings are written by demo/stack/authorization_server.py, which says
// what they mean. SIGUSR2 makes a new signing key; the earlier ones stay published.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { newSigningKey } from "./keys.js";
import { createProvider } from "./provider.js";
import { createStorage } from "./storage.js";

const HOST = "127.0.0.1";
const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
// A map, so that no name of JavaScript's own is an account.
const settings = { ...given, accounts: new Map(Object.entries(given.accounts)) };
const authority = `${HOST}:${settings.port}`;

const storage = createStorage();
const cookieKeys = [randomBytes(32).toString("hex")];
const keys = [];

// The first key signs. The provider takes its keys when it is made, so that a
// rotation makes a new one on the same storage.
async function withNewKey() {
  keys.unshift(await newSigningKey());
  return createProvider({ issuer: `http://${authority}`, settings, keys, storage, cookieKeys }).callback();
}

let answer = await withNewKey();

process.on("SIGUSR2", async () => {
  answer = await withNewKey();
  console.log("a new key signs");
});

createServer((request, response) => {
  // A page whose name was made to resolve to 127.0.0.1 must not get to sign in
  // with accounts that have no password.
  if (request.headers.host !== authority) {
    response.writeHead(421, { "Content-Type": "text/plain" }).end(`this is http://${authority}\n`);
    return;
  }
  answer(request, response);
}).listen(settings.port, HOST, () => console.log(`listening on http://${authority}`));
