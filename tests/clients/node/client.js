// One client of the official TypeScript SDK, unmodified, that does what it is
// told: a command per line on stdin, its outcome per line on stdout.
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
function connection(url, options, resumed) {
  const made = new Client({ name: "typescript-client", version: "1" }, options);
  made.fallbackNotificationHandler = async (notification) => {
    notifications.push(notification);
  };
  if (options.capabilities?.elicitation) {
    made.setRequestHandler("elicitation/create", () => ({ action: "decline" }));
  }
  return [made, new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, ...resumed })];
}

const commands = {
  async connect({ url, options }) {
    [client, transport] = connection(url, options);
    await client.connect(transport);
    return { protocolVersion: client.getNegotiatedProtocolVersion(), sessionId: transport.sessionId };
  },

  async finishAuth({ callback }) {
    const { searchParams } = new URL(callback);
    if (!provider.expects(searchParams)) throw new Error("the callback belongs to another request");
    await transport.finishAuth(searchParams);
    authorizationUrl = undefined;
  },

  granted: () => provider.tokens()?.scope,
  accessToken: () => provider.tokens()?.access_token,

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
  error: { type: error.constructor.name, message: error.message, code: error.code },
  authorizationUrl,
});

await serve(commands, told);
// Connections that are still open would keep the process alive.
process.exit();
