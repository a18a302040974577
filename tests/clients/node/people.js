// People at browsers that run no scripts, moved by keyboard. Each person has a
// browser of their own, which keeps its cookies until the end.
import { chromium } from "playwright-core";

import { serve } from "./serve.js";

const [executablePath] = process.argv.slice(2);
const MOST_TABS = 40;

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

const people = new Map();

async function at(person, viewport) {
  if (!people.has(person)) {
    const context = await browser.newContext({ javaScriptEnabled: false, ...(viewport && { viewport }) });
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const problems = [];
    page.on("console", (message) => {
      // A status of 400 or more is said on the console as well; the tests look at statuses.
      const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status");
      if (["error", "warning"].includes(message.type()) && !isStatus) problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("requestfailed", (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
    people.set(person, { page, problems });
  }
  return people.get(person);
}

async function seen({ page, problems }, response) {
  const root = page.locator("html");
  return {
    url: page.url(),
    status: response?.status() ?? null,
    title: await page.title(),
    language: await root.getAttribute("lang"),
    // Roles and names, as assistive technology is told.
    tree: await page.locator("body").ariaSnapshot(),
    tooWide: await root.evaluate((element) => element.scrollWidth > element.clientWidth),
    problems: problems.splice(0),
  };
}

// Tabs from the beginning of the page until the control has the focus; how that shows.
async function tabTo(page, control) {
  await control.waitFor();
  await page.locator("body").evaluate(() => document.activeElement?.blur());
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    await page.keyboard.press("Tab");
    if (await control.evaluate((element) => element === document.activeElement)) {
      return control.evaluate((element) => getComputedStyle(element).outlineStyle);
    }
  }
  throw new Error(`no way to ${control} by keyboard`);
}

const commands = {
  open: async ({ person, url, viewport }) => {
    const visitor = await at(person, viewport);
    return seen(visitor, await visitor.page.goto(url));
  },

  // Follows the control of this role and name by keyboard.
  press: async ({ person, role, name }) => {
    const visitor = await at(person);
    const { page } = visitor;
    const control = page.getByRole(role, { name, exact: true });
    const outline = await tabTo(page, control);
    const arriving = page.waitForNavigation();
    await page.keyboard.press("Enter");
    const response = await arriving;
    return { outline, ...(await seen(visitor, response)) };
  },

  type: async ({ person, label, text }) => {
    const { page } = await at(person);
    await tabTo(page, page.getByLabel(label, { exact: true }));
    await page.keyboard.type(text);
    return null;
  },

  picture: async ({ person, file }) => {
    const { page } = await at(person);
    await page.screenshot({ path: file, fullPage: true });
    return null;
  },
};

await serve(commands, (error) => ({ error: error.message }));
await browser.close();
