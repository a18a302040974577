// A page with an MCP client, in a real browser. The page is served at one port
// of loopback under two names, 127.0.0.1 and localhost, which are two origins.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { build } from "esbuild";
import { chromium } from "playwright-core";

import { serve } from "./serve.js";

const [port, executablePath] = process.argv.slice(2);
const here = (name) => new URL(name, import.meta.url);

const bundle = await build({
  entryPoints: [here("page.js").pathname],
  bundle: true,
  format: "esm",
  platform: "browser",
  conditions: ["browser"],
  write: false,
});
const files = new Map([
  ["/", ["text/html", await readFile(here("page.html"))]],
  ["/page.js", ["text/javascript", bundle.outputFiles[0].contents]],
]);
const server = createServer((request, response) => {
  const [type, content] = files.get(new URL(request.url, "http://localhost").pathname) ?? [];
  response.writeHead(content ? 200 : 404, { "content-type": type ?? "text/plain" }).end(content);
});
server.listen(Number(port), "127.0.0.1");

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

// A user of their own each time, without cookies of the one before.
async function asNewUser(act) {
  const context = await browser.newContext();
  context.setDefaultTimeout(15_000);
  try {
    return await act(await context.newPage());
  } finally {
    await context.close();
  }
}

const commands = {
  // Opens the page and signs in with these accounts, one at each time of asking.
  work: ({ host, task, accounts }) =>
    asNewUser(async (page) => {
      await page.goto(`http://${host}:${port}/?${new URLSearchParams({ task: JSON.stringify(task) })}`);
      for (const account of accounts) await page.click(`button[value=${account}]`);
      const output = page.locator("output[data-done]");
      await output.waitFor({ state: "attached" });
      return JSON.parse(await output.textContent());
    }),

  // What a page can send without the browser asking the server first.
  sendUnasked: ({ host, endpoint, body }) =>
    asNewUser(async (page) => {
      await page.goto(`http://${host}:${port}/page.js`);
      return page.evaluate(
        async ([url, text]) => (await fetch(url, { method: "POST", mode: "no-cors", body: text })).type,
        [endpoint, body],
      );
    }),
};

await serve(commands, (error) => ({ error: error.message }));
await browser.close();
server.close();
