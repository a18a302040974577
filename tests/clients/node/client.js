// One client of the official TypeScript SDK, unmodified, that does what it is
// told: a command per line on stdin, its outcome per line on stdout.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { Provider } from "./provider.js";
import { serve } from "./serve.js";

// The test is the user: it is told the address instead of being sent there.
let authorizationUrl;
const provider = new Provider({
  name: "the TypeScript client",
  redirectUrl: "http://127.0.0.1:7777/callback",
  redirect: (url) => {
    authorizationUrl = url.href;
  },
  store: new Map(),
});
const notifications = [];
let client;
let transport;

// With what the provider knows by now, as after a restart.
// `opens` is how the user opens an address; without it they decline what they are asked.
function connection(url, options, resumed, opens) {
  const made = new Client({ name: "typescript-client", version: "1" }, options);
  made.fallbackNotificationHandler = async (notification) => {
    notifications.push(notification);
  };
  if (options.capabilities?.elicitation) {
    made.setRequestHandler("elicitation/create", async ({ params }) => {
      if (!opens || params.mode !== "url") return { action: "decline" };
      const [program, ...before] = opens;
      await promisify(execFile)(program, [...before, params.url]);
      return { action: "accept" };
    });
  }
  return [made, new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, ...resumed })];
}

const commands = {
  async connect({ url, options, opens }) {
    [client, transport] = connection(url, options, undefined, opens);
    await client.connect(transport);
    return { protocolVersion: client.getNegotiatedProtocolVersion(), sessionId: transport.sessionId };
  },

  async finishAuth({ callback }) {
    const { searchParams } = new URL(callback);
    if (!provider.expects(searchParams)) throw new Error("the callback belongs to another request");
    await transport.finishAuth(searchParams);
    authorizationUrl = undefined;
  },

  accessToken: () => provider.tokens()?.access_token,

  granted: () => provider.tokens()?.scope,

  request: ({ method, args }) => client[method](...args),

  async callWithProgress({ params }) {
    const progress = [];
    const result = await client.callTool(params, { onprogress: (step) => progress.push(step) });
    return { result, progress };
  },

  // Makes a call; then, on a new connection of the same session, asks for what
  // came after the call's first event.
  async callAndReplay({ url, params }) {
    const tokens = [];
    const onresumptiontoken = (token) => tokens.push(token);
    const result = await client.callTool(params, { onprogress: () => {}, onresumptiontoken });
    const [second, secondTransport] = connection(url, {}, {
      sessionId: transport.sessionId,
      protocolVersion: client.getNegotiatedProtocolVersion(),
    });
    await second.connect(secondTransport);
    const replayed = await second.callTool(params, { resumptionToken: tokens[0] });
    await second.close();
    return { result, replayed, events: tokens.length };
  },

  notifications: () => notifications,

  async close() {
    await transport.terminateSession();
    await client.close();
  },
};

const told = (error) => ({
  error: { type: error.constructor.name, message: error.message, code: error.code, data: error.data },
  authorizationUrl,
});

await serve(commands, told);
// Connections that are still open would keep the process alive.
process.exit();
