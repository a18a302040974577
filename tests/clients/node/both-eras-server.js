// An MCP server of both protocol eras on the official SDK, for loopback:
// something of each kind, allowed and not, what a server can ask of a client,
// and operations that take a while.
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import { toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  isLegacyRequest,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { z } from "zod";

import { inPages } from "./pages.js";
import { Sessions } from "./sessions.js";

const text = (words) => ({ content: [{ type: "text", text: String(words) }] });
const told = (words) => ({ messages: [{ role: "user", content: { type: "text", text: words } }] });

// An argument that clients of the modern era repeat in a header, and that the SDK then demands there.
const mirrored = (schema, header) => schema.meta({ "x-mcp-header": header });

// What a client holds for the server between two rounds. Nobody else can make it.
const state = createRequestStateCodec({
  key: "what-only-the-server-of-both-eras-knows",
  bind: ({ mcpReq }) => mcpReq.method,
});

// The lists are longer while this is set.
let published = false;

async function progressTo({ mcpReq }, progress, total) {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } });
}

const form = (message) => inputRequired.elicit({ message, requestedSchema: z.object({ word: z.string() }) });

const tools = {
  add: { input: { a: z.number(), b: z.number() }, call: ({ a, b }) => text(a + b) },

  count: {
    input: { to: mirrored(z.int(), "To"), pause: z.int().default(0) },
    call: async ({ to, pause }, context) => {
      for (let progress = 1; progress <= to; progress += 1) {
        if (pause > 0) await sleep(pause);
        await progressTo(context, progress, to);
      }
      return text(`counted to ${to}`);
    },
  },

  // Tells that it has begun, and then waits for the caller to lose patience.
  wait: {
    input: { say: z.string() },
    call: async ({ say }, context) => {
      const cancelled = new Promise((resolve) => context.mcpReq.signal.addEventListener("abort", resolve));
      context.http.req.signal.addEventListener("abort", () => console.log(`${say}: disconnected`));
      await progressTo(context, 1);
      await cancelled;
      console.log(`${say}: cancelled`);
      return text("nobody hears this");
    },
  },

  // Ends the stream of its own call, whose client is to come back for the rest.
  poll: {
    call: async (_, context) => {
      await progressTo(context, 1, 2);
      context.http.closeSSE();
      await sleep(100);
      await progressTo(context, 2, 2);
      return text("polled");
    },
  },

  say: {
    input: { words: z.string() },
    call: async ({ words }, { mcpReq }) => {
      await mcpReq.log("warning", words);
      return text("said");
    },
  },

  // Asks the user first: an answer of its own in the modern era, and the same call again.
  ask: {
    call: (_, { mcpReq }) => {
      const answer = mcpReq.inputResponses?.sure;
      if (answer !== undefined) return text(`the user's answer: ${answer.action}`);
      const sure = inputRequired.elicit({ message: "Sure?", requestedSchema: z.object({}) });
      return inputRequired({ inputRequests: { sure } });
    },
  },

  // Asks for all that a client can be asked for, and then once more. What it
  // knows by then is in the state only.
  interview: {
    call: async (_, context) => {
      const { inputResponses: answers, requestState } = context.mcpReq;
      const known = requestState();
      if (known === undefined) {
        return inputRequired({
          inputRequests: {
            first: form("The first word?"),
            guess: inputRequired.createMessage({
              messages: [{ role: "user", content: { type: "text", text: "Guess a word" } }],
              maxTokens: 10,
            }),
            places: inputRequired.listRoots(),
          },
          requestState: await state.mint({ round: 1 }, context),
        });
      }
      if (known.round === 1) {
        const places = answers.places.roots.map(({ uri }) => uri);
        const heard = [answers.first.content.word, answers.guess.content.text, ...places];
        return inputRequired({
          inputRequests: { last: form("The last word?") },
          requestState: await state.mint({ round: 2, heard }, context),
        });
      }
      return text([...known.heard, answers.last.content.word].join(", "));
    },
  },

  // Asks the user to open an address, and waits for the answer for as long as it is told to.
  link: {
    input: { url: z.string(), patience: z.int() },
    call: async ({ url, patience }, { mcpReq }, era) => {
      const asked = { url, message: "Open this" };
      if (era === "modern") {
        const answer = mcpReq.inputResponses?.open;
        if (answer !== undefined) return text(answer.action);
        return inputRequired({ inputRequests: { open: inputRequired.elicitUrl(asked) } });
      }
      const elicitation = { ...asked, mode: "url", elicitationId: crypto.randomUUID() };
      // On the stream of the call; that of the session may not be open yet.
      const options = { relatedRequestId: mcpReq.id, timeout: patience };
      const answer = await mcpReq.elicitInput(elicitation, options).catch(() => ({ action: "no answer" }));
      return text(answer.action);
    },
  },

  secret: { call: () => text("the secret") },
  nobody: { call: () => text("for nobody") },

  capabilities: { call: (_, context, era, server) => text(JSON.stringify(server.server.getClientCapabilities())) },

  touch: {
    input: { uri: z.string() },
    call: async ({ uri }) => {
      modern.notify.resourceUpdated(uri);
      for (const { server, subscribed } of legacy.servers()) {
        if (subscribed.has(uri)) await server.sendResourceUpdated({ uri });
      }
      return text(`touched ${uri}`);
    },
  },

  publish: {
    input: { shown: z.boolean() },
    call: async ({ shown }) => {
      published = shown;
      modern.notify.toolsChanged();
      modern.notify.promptsChanged();
      modern.notify.resourcesChanged();
      for (const server of legacy.servers()) {
        await server.sendToolListChanged();
        await server.sendPromptListChanged();
        await server.sendResourceListChanged();
      }
      return text(shown);
    },
  },

  listeners: { call: () => text(modern.bus.listenerCount) },

  extra: { published: true, call: () => text("one more") },
  "secret-extra": { published: true, call: () => text("one more secret") },
};

const prompts = {
  "secret-prompt": { call: () => told("the secret") },
  summary: { arguments: { of: z.string() }, call: ({ of }) => told(`Sum up ${of}`) },
  "extra-prompt": { published: true, call: () => told("one more") },
  "secret-extra-prompt": { published: true, call: () => told("one more secret") },
};

// The first page has nothing for those who may read the open ones only.
const resources = {
  "notes://secret/1": {},
  "notes://secret/2": {},
  "notes://secret/3": {},
  "notes://open/1": {},
  "notes://open/2": {},
  "notes://open/extra": { published: true },
  "notes://secret/extra": { published: true },
};

const templates = ["notes://open/{id}", "notes://secret/{id}", "notes://{kind}/latest", "files://{+path}"];

function bothEras({ era }) {
  const mcp = new McpServer(
    { name: "both-eras", version: "1" },
    {
      capabilities: {
        logging: {},
        resources: { subscribe: true, listChanged: true },
        tools: { listChanged: true },
        prompts: { listChanged: true },
      },
      requestState: { verify: state.verify },
      cacheHints: Object.fromEntries(
        ["tools/list", "prompts/list", "resources/list", "resources/templates/list"].map((method) => [
          method,
          { ttlMs: 0, cacheScope: "public" },
        ]),
      ),
    },
  );

  for (const [name, { input = {}, call }] of Object.entries(tools)) {
    mcp.registerTool(name, { inputSchema: z.object(input) }, (args, context) => call(args, context, era, mcp));
  }
  for (const [name, { arguments: asked, call }] of Object.entries(prompts)) {
    if (asked) mcp.registerPrompt(name, { argsSchema: z.object(asked) }, call);
    else mcp.registerPrompt(name, {}, call);
  }
  for (const uri of Object.keys(resources)) {
    mcp.registerResource(uri, uri, {}, () => ({ contents: [{ uri, text: `the text of ${uri}` }] }));
  }
  for (const template of templates) {
    const read = ({ href }) => ({ contents: [{ uri: href, text: `made from ${template}` }] });
    mcp.registerResource(template, new ResourceTemplate(template, { list: undefined }), {}, read);
  }

  const listed = (entries) => Object.entries(entries).filter(([, entry]) => published || !entry.published);
  const asTool = ([name, { input = {} }]) => ({ name, inputSchema: z.toJSONSchema(z.object(input)) });
  inPages(mcp.server, {
    tools: () => listed(tools).map(asTool),
    prompts: () => listed(prompts).map(([name]) => ({ name, description: `The prompt ${name}` })),
    resources: () => listed(resources).map(([uri]) => ({ uri, name: uri })),
    resourceTemplates: () => templates.map((uriTemplate) => ({ uriTemplate, name: uriTemplate })),
  });

  mcp.subscribed = new Set();
  mcp.server.setRequestHandler("resources/subscribe", ({ params }) => {
    mcp.subscribed.add(params.uri);
    return {};
  });
  mcp.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
    mcp.subscribed.delete(params.uri);
    return {};
  });
  return mcp;
}

const modern = createMcpHandler(bothEras, { legacy: "reject" });
const legacy = new Sessions(bothEras);
const handleModern = toNodeHandler(modern);

async function answer(request, response) {
  const body = request.method === "POST" ? await json(request) : undefined;
  const isLegacy = await isLegacyRequest(await toWebRequest(request, body ?? null), body);
  await (isLegacy ? legacy.handle(request, response, body) : handleModern(request, response, body));
}

createServer((request, response) => {
  // Of a request whose body never comes there is nothing to answer.
  answer(request, response).catch(() => response.destroy());
}).listen(Number(process.env.PORT), "127.0.0.1");
