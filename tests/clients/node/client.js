// One client of the official TypeScript SDK, unmodified, that does what it is
// told: a command per line on stdin, its outcome per line on stdout.
import { createInterface } from "node:readline";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { MemoryProvider } from "./provider.js";

const provider = new MemoryProvider();
const notifications = [];
let client;
let transport;

const commands = {
  // A new connection with what the provider knows by now, as after a restart.
  async connect({ url, options }) {
    client = new Client({ name: "typescript-client", version: "1" }, options);
    client.fallbackNotificationHandler = async (notification) => {
      notifications.push(notification);
    };
    transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
    await client.connect(transport);
    return {
      protocolVersion: client.getNegotiatedProtocolVersion(),
      session: transport.sessionId !== undefined,
    };
  },

  finishAuth: ({ callback }) => transport.finishAuth(new URL(callback).searchParams),

  granted: () => provider.tokens()?.scope,

  async request({ method, args }) {
    return client[method](...args);
  },

  // A call whose progress is wanted too.
  async callWithProgress({ params }) {
    const progress = [];
    const result = await client.callTool(params, { onprogress: (step) => progress.push(step) });
    return { result, progress };
  },

  notifications: () => notifications,

  async close() {
    await transport.terminateSession();
    await client.close();
  },
};

const told = (error) => ({
  type: error.constructor.name,
  message: error.message,
  code: error.code,
  data: error.data,
});

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...fields } = JSON.parse(line);
  let outcome;
  try {
    outcome = { result: (await commands[command](fields)) ?? null };
  } catch (error) {
    outcome = { error: told(error), authorizationUrl: provider.takeAuthorizationUrl() };
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
process.exit();
