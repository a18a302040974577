// The notes server of the demonstration: an MCP server of both protocol eras that
// takes the access tokens of its own authorization server and no others.
//
//     PORT=3002 ISSUER=http://127.0.0.1:9001 node server.js
//
// It stands for a service of somebody else: it knows nothing of the gate.
import { createServer } from "node:http";

import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, isJsonContentType, isLegacyRequest } from "@modelcontextprotocol/server";

import { createGuard, InvalidToken } from "./guard.js";
import { createNotes } from "./notes.js";
import { createSessions } from "./sessions.js";

const HOST = "127.0.0.1";
const MOST_BODY_BYTES = 256 * 1024;
const { PORT: port, ISSUER: issuer } = process.env;

const authority = `${HOST}:${port}`;
const resource = `http://${authority}/mcp`;
const metadataUrl = `http://${authority}/.well-known/oauth-protected-resource/mcp`;

const guard = createGuard({ issuer, resource });
const notes = createNotes();
const modern = createMcpHandler(notes, { legacy: "reject", maxRequestBodySize: MOST_BODY_BYTES });
const sessions = createSessions(notes, { maxRequestBodySize: MOST_BODY_BYTES });

async function fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === new URL(metadataUrl).pathname) return Response.json(metadata());
  if (pathname !== "/mcp") return new Response("not found\n", { status: 404 });
  // No stream for GET: there is nothing to tell that is not an answer.
  if (request.method !== "POST" && request.method !== "DELETE") return notAllowed();

  let authInfo;
  try {
    authInfo = await guard.userOf(request.headers.get("authorization"));
  } catch (error) {
    if (error instanceof InvalidToken) return challenge("invalid_token", error.message);
    console.error(`tokens cannot be verified: ${error.message}`);
    return failure(503, -32603, "tokens cannot be verified at the moment");
  }
  if (request.method === "DELETE") return sessions.fetch(request, { authInfo }) ?? challenge();

  if (!isJsonContentType(request.headers.get("content-type"))) return failure(415, -32000, "Unsupported Media Type");
  let parsedBody;
  try {
    parsedBody = await request.json();
  } catch {
    return failure(400, -32700, "Parse error");
  }
  if (authInfo === undefined && !guard.isOpen(parsedBody)) return challenge();

  const options = { authInfo, parsedBody };
  return (await isLegacyRequest(request, parsedBody))
    ? (sessions.fetch(request, options) ?? challenge())
    : modern.fetch(request, options);
}

// RFC 9728.
function metadata() {
  return {
    resource,
    resource_name: "Notes",
    authorization_servers: [issuer],
    scopes_supported: ["notes:read", "notes:write"],
    bearer_methods_supported: ["header"],
  };
}

// RFC 6750, section 3: no error code where there was no token.
function challenge(error, description) {
  const parameters = { resource_metadata: metadataUrl, scope: "notes:read notes:write" };
  if (error !== undefined) Object.assign(parameters, { error, error_description: description });
  const told = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  const response = failure(401, -32001, description ?? "an access token is needed");
  response.headers.set("WWW-Authenticate", `Bearer ${told.join(", ")}`);
  return response;
}

function notAllowed() {
  const response = failure(405, -32000, "Method not allowed");
  response.headers.set("Allow", "POST, DELETE");
  return response;
}

function failure(status, code, message) {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status });
}

const answer = toNodeHandler(
  { fetch },
  { maxRequestBodySize: MOST_BODY_BYTES, onerror: (error) => console.error(error) },
);

// A page whose name was made to resolve to 127.0.0.1 is not answered.
const isLocal = [localhostHostValidation(), localhostOriginValidation()];

createServer((request, response) => {
  if (isLocal.every((check) => check(request, response))) answer(request, response);
}).listen(Number(port), HOST, () => console.log(`listening on ${resource}`));
