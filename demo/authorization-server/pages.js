// The two pages that people see.
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

const escape = (text) => String(text).replace(/[&<>"']/g, (character) => ENTITIES[character]);

const page = (title, content) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem; }
  button { font: inherit; display: block; width: 100%; margin: .5rem 0; padding: .6rem; text-align: left; }
  code { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`;

const accountButton = ([name, { may, claims }]) => {
  const roles = claims.roles === undefined ? "" : `, role ${claims.roles.join(", ")}`;
  return `<button name="account" value="${name}"><strong>${name}</strong>: may have ${may.join(" ")}${roles}</button>`;
};

export const signInPage = ({ name, accounts, client, redirectUri, scopes, resources }) =>
  page(
    `Sign in to ${escape(name)}`,
    `<p><strong>${escape(client)}</strong> asks for access
to <code>${escape(resources.join(" ") || "no resource")}</code>
with <code>${escape(scopes.join(" ") || "no scope")}</code>;
the answer goes to <code>${escape(redirectUri)}</code>.</p>
<p>Signing in agrees to that, as far as the account may have it. There are no passwords here.</p>
<form method="post">
${[...accounts].map(accountButton).join("\n")}
<button name="cancel" value="yes">Cancel</button>
</form>`,
  );

export const errorPage = ({ error, error_description: description }) =>
  page("The sign-in did not work", `<p><code>${escape(error)}</code>: ${escape(description ?? "")}</p>`);
