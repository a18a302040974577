// The legacy era with sessions and resumption, as the SDK offers them: a server
// and a transport per session, and the events of each kept for who comes back.
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import { isInitializeRequest } from "@modelcontextprotocol/server";

// What the server suggests to clients whose stream has ended, in milliseconds.
const RETRY = 50;

function eventStore() {
  const events = [];
  return {
    async storeEvent(streamId, message) {
      return `event-${events.push({ streamId, message })}`;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const seen = Number(lastEventId.slice("event-".length));
      const { streamId } = events[seen - 1];
      for (const [index, event] of events.entries()) {
        // The event that primes a stream is kept without a message.
        const isMessage = "jsonrpc" in event.message;
        if (index >= seen && event.streamId === streamId && isMessage) await send(`event-${index + 1}`, event.message);
      }
      return streamId;
    },
  };
}

export class Sessions {
  #factory;
  #open = new Map();

  constructor(factory) {
    this.#factory = factory;
  }

  servers = () => [...this.#open.values()].map(({ server }) => server);

  async handle(request, response, body) {
    const session = isInitializeRequest(body)
      ? await this.#begin()
      : this.#open.get(request.headers["mcp-session-id"]);
    if (session) return session.transport.handleRequest(request, response, body);

    const error = { code: -32001, message: "Session not found" };
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
  }

  async #begin() {
    const server = this.#factory({ era: "legacy" });
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => this.#open.set(id, { server, transport }),
      onsessionclosed: (id) => this.#open.delete(id),
      eventStore: eventStore(),
      retryInterval: RETRY,
    });
    await server.connect(transport);
    return { server, transport };
  }
}
