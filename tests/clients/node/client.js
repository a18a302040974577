// One client of the official TypeScript SDK, unmodified, that does what it is
// told: a command per line on stdin, its outcome per line on stdout.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { Provider } from "./provider.js";
import { serve } from "./serve.js";
import { Wire } from "./wire.js";

// The test is the user: it is told the address instead of being sent there.
let authorizationUrl;
const store = new Map();
const provider = new Provider({
  name: "the TypeScript client",
  redirectUrl: "http://127.0.0.1:7777/callback",
  redirect: (url) => {
    authorizationUrl = url.href;
  },
  store,
});
let wire = new Wire();
let client;
let transport;

// What happened since the client was begun.
const notifications = [];
const asked = [];
const calls = [];
const subscriptions = [];

// With what the provider knows by now, as after a restart.
// `opens` is how the user opens an address; without it they decline what they are asked.
function connection(url, options, resumed, opens, answers) {
  const made = new Client({ name: "typescript-client", version: "1" }, options);
  made.fallbackNotificationHandler = async (notification) => {
    notifications.push(notification);
  };
  if (answers) answering(made, answers);
  else if (options.capabilities?.elicitation) {
    made.setRequestHandler("elicitation/create", async ({ params }) => {
      if (!opens || params.mode !== "url") return { action: "decline" };
      const [program, ...before] = opens;
      await promisify(execFile)(program, [...before, params.url]);
      return { action: "accept" };
    });
  }
  const overWire = { authProvider: provider, fetch: wire.fetch, ...resumed };
  return [made, new StreamableHTTPClientTransport(new URL(url), overWire)];
}

// The user and the application behind the client, where they have an answer.
function answering(made, { words, guess, roots }) {
  const handlers = {
    "elicitation/create":
      words && (({ mode }) => ({ action: "accept", ...(mode !== "url" && { content: { word: words.shift() } }) })),
    "sampling/createMessage":
      guess && (() => ({ model: "none", role: "assistant", content: { type: "text", text: guess } })),
    "roots/list": roots && (() => ({ roots: roots.map((uri) => ({ uri })) })),
  };
  for (const [method, answer] of Object.entries(handlers)) {
    if (!answer) continue;
    made.setRequestHandler(method, async ({ params }) => {
      asked.push({ method, params });
      return answer(params ?? {});
    });
  }
}

const commands = {
  // Becomes a client that has never been here, but may have kept a token.
  async begin({ token }) {
    await client?.close();
    wire = new Wire();
    for (const happened of [notifications, asked, calls, subscriptions]) happened.length = 0;
    store.clear();
    if (token) provider.saveTokens({ access_token: token, token_type: "Bearer" });
  },

  async connect({ url, options, opens, answers }) {
    [client, transport] = connection(url, options, undefined, opens, answers);
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

  // Makes a call that goes on while other commands are done.
  start({ params }) {
    const progress = [];
    const abort = new AbortController();
    const options = { onprogress: (step) => progress.push(step), signal: abort.signal };
    const outcome = client.callTool(params, options).then((result) => ({ result }), (error) => ({ error }));
    return calls.push({ progress, abort, outcome }) - 1;
  },

  progress: ({ call }) => calls[call].progress,

  cancel: ({ call }) => calls[call].abort.abort("the user has lost patience"),

  async outcome({ call }) {
    const { result, error } = await calls[call].outcome;
    if (error) throw error;
    return result;
  },

  async listen({ filter }) {
    const subscription = await client.listen(filter);
    return { subscription: subscriptions.push(subscription) - 1, honored: subscription.honoredFilter };
  },

  unlisten: ({ subscription }) => subscriptions[subscription].close(),

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

  asked: () => asked,

  requests: () => wire.requests,

  cut: () => wire.cut(),

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
