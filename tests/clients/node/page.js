// An MCP client in a web page, on the official SDK: makes the calls that its
// address names, and shows what came of them. The way through the sign-in
// leaves the page; what it needs afterwards is in the session's storage.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

import { Provider } from "./provider.js";

const store = {
  get: (key) => JSON.parse(sessionStorage.getItem(key)) ?? undefined,
  set: (key, value) => sessionStorage.setItem(key, JSON.stringify(value)),
};
const parameters = new URLSearchParams(location.search);
const provider = new Provider({
  name: "a page",
  redirectUrl: `${location.origin}/`,
  redirect: (url) => location.assign(url),
  store,
});

if (parameters.has("task")) store.set("task", JSON.parse(parameters.get("task")));
const { endpoint, calls } = store.get("task");

async function work() {
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider });
  if (parameters.has("code")) {
    if (!provider.expects(parameters)) throw new Error("the callback belongs to another request");
    await transport.finishAuth(parameters);
  }
  const client = new Client({ name: "page", version: "1" });
  await client.connect(transport);
  const results = store.get("results") ?? [];
  while (results.length < calls.length) {
    results.push(await client.callTool(calls[results.length]));
    store.set("results", results);
  }
  return { results };
}

function show(outcome) {
  const output = document.querySelector("output");
  output.textContent = JSON.stringify(outcome);
  output.dataset.done = "";
}

work().then(show, (error) => {
  // The page is being left for the authorization server.
  if (error instanceof UnauthorizedError) return;
  show({ error: `${error.name}: ${error.message}` });
});
