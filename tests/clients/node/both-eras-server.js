// An MCP server of both protocol eras on the official SDK, for loopback:
// something of each kind, allowed and not, and an operation that takes a while.
import { createServer } from "node:http";

import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

const text = (words) => ({ content: [{ type: "text", text: String(words) }] });
const told = (words) => ({ messages: [{ role: "user", content: { type: "text", text: words } }] });

// An argument that clients of the modern era repeat in a header, and that the SDK then demands there.
const mirrored = (schema, header) => schema.meta({ "x-mcp-header": header });

function bothEras() {
  const server = new McpServer(
    { name: "both-eras", version: "1" },
    { capabilities: { resources: { subscribe: true } } },
  );

  server.registerTool("add", { inputSchema: z.object({ a: z.number(), b: z.number() }) }, ({ a, b }) => text(a + b));
  server.registerTool("secret", {}, () => text("the secret"));
  server.registerTool("nobody", {}, () => text("for nobody"));
  server.registerTool("touch", { inputSchema: z.object({ uri: z.string() }) }, ({ uri }) => {
    mcp.notify.resourceUpdated(uri);
    return text(`touched ${uri}`);
  });
  server.registerTool("count", { inputSchema: z.object({ to: mirrored(z.int(), "To") }) }, async ({ to }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progressToken !== undefined && progress <= to; progress += 1) {
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: to } });
    }
    return text(`counted to ${to}`);
  });

  // Asks the user first: an answer of its own in the modern era, and the same call again.
  server.registerTool("ask", {}, ({ mcpReq }) => {
    const answer = mcpReq.inputResponses?.sure;
    if (answer !== undefined) return text(`the user's answer: ${answer.action}`);
    const sure = inputRequired.elicit({ message: "Sure?", requestedSchema: z.object({}) });
    return inputRequired({ inputRequests: { sure } });
  });

  // Tells that it has begun, and then waits for the caller to lose patience.
  server.registerTool("wait", { inputSchema: z.object({ say: z.string() }) }, async ({ say }, { mcpReq }) => {
    const gone = new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
    const { progressToken } = mcpReq._meta;
    await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    await gone;
    console.log(say);
    return text("nobody hears this");
  });

  server.registerPrompt("summary", { argsSchema: z.object({ of: z.string() }) }, ({ of }) => told(`Sum up ${of}`));
  server.registerPrompt("secret-prompt", {}, () => told("the secret"));

  for (const uri of ["notes://open/1", "notes://secret/1"]) {
    server.registerResource(uri, uri, {}, () => ({ contents: [{ uri, text: `the text of ${uri}` }] }));
  }
  return server;
}

const mcp = createMcpHandler(bothEras);
createServer(toNodeHandler(mcp)).listen(Number(process.env.PORT), "127.0.0.1");
