// The legacy era, with sessions.
import { randomUUID } from "node:crypto";

import { isInitializeRequest, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";

const MOST_SESSIONS = 1_000;

export function createSessions(makeServer, { maxRequestBodySize }) {
  // By session id, in the order of their last use.
  const sessions = new Map();

  // Answers one request; `undefined` where the session needs its user's token.
  function fetch(request, options) {
    const id = request.headers.get("mcp-session-id");
    if (id === null) return isInitializeRequest(options.parsedBody) ? open(request, options) : without(options);

    const session = sessions.get(id);
    const user = userOf(options);
    // Somebody else's session is as one that does not exist.
    if (session === undefined || (user !== undefined && (session.user ??= user) !== user)) return gone(options);
    if (user === undefined && session.user !== undefined && request.method === "DELETE") return undefined;
    sessions.delete(id);
    sessions.set(id, session);
    return session.transport.handleRequest(request, options);
  }

  async function open(request, options) {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize,
      // It belongs to the first user that it is used by.
      onsessioninitialized: (id) => keep(id, { transport, user: userOf(options) }),
      onsessionclosed: (id) => sessions.delete(id),
    });
    await makeServer().connect(transport);
    return transport.handleRequest(request, options);
  }

  function keep(id, session) {
    sessions.set(id, session);
    if (sessions.size <= MOST_SESSIONS) return;
    const [oldest, { transport }] = sessions.entries().next().value;
    sessions.delete(oldest);
    void transport.close();
  }

  return { fetch };
}

const userOf = ({ authInfo }) => authInfo && JSON.stringify([authInfo.extra.issuer, authInfo.extra.subject]);

const gone = ({ parsedBody }) => failure(404, -32001, "Session not found", parsedBody);

const without = ({ parsedBody }) => failure(400, -32000, "Bad Request: Mcp-Session-Id header is required", parsedBody);

function failure(status, code, message, request) {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: request?.id ?? null }, { status });
}
