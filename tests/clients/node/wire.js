// The fetch of the platform, which remembers what was asked and whose event
// streams can be cut off, as by a network that fails.
export class Wire {
  requests = [];
  #cuts = new Set();

  fetch = async (url, init) => {
    const response = await fetch(url, init);
    const lastEventId = new Headers(init?.headers).get("last-event-id");
    this.requests.push({ method: init?.method ?? "GET", status: response.status, lastEventId });
    const isEventStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (!response.ok || !isEventStream) return response;

    const cut = new AbortController();
    this.#cuts.add(cut);
    const { status, headers } = response;
    const body = response.body.pipeThrough(new TransformStream(), { signal: cut.signal });
    return new Response(body, { status, headers });
  };

  cut() {
    for (const cut of this.#cuts) cut.abort(new Error("the connection is gone"));
    this.#cuts.clear();
  }
}
