// The sign-in: one page on which an account is chosen, which is also the consent.
import { text } from "node:stream/consumers";

import { signInPage } from "./pages.js";

const PAGE = /^\/interaction\/[\w-]+$/;

const words = (list) => (list ? list.split(" ") : []);

export const signIn = (provider, { name, accounts }) => async (ctx, next) => {
  if (!PAGE.test(ctx.path)) return next();
  ctx.set("Cache-Control", "no-store");
  ctx.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

  const interaction = await provider.interactionDetails(ctx.req, ctx.res);
  const { params } = interaction;
  if (ctx.method === "GET") {
    const client = await provider.Client.find(params.client_id);
    ctx.type = "html";
    ctx.body = signInPage({
      name,
      accounts,
      client: client.clientName ?? client.clientId,
      redirectUri: params.redirect_uri,
      scopes: words(params.scope),
      resources: resourcesOf(params),
    });
    return undefined;
  }

  ctx.assert(ctx.method === "POST", 405);
  const form = new URLSearchParams(await text(ctx.req));
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, await resultOf(provider, accounts, params, form), {
    mergeWithLastSubmission: false,
  });
};

async function resultOf(provider, accounts, params, form) {
  const account = form.get("account");
  if (!accounts.has(account)) {
    const names = [...accounts.keys()].join(", ");
    return { error: "access_denied", error_description: `nobody signed in; the accounts are ${names}` };
  }
  const grant = new provider.Grant({ accountId: account, clientId: params.client_id });
  const asked = words(params.scope);
  const { may } = accounts.get(account);
  grant.addOIDCScope(asked.join(" "));
  for (const resource of resourcesOf(params)) {
    grant.addResourceScope(resource, asked.filter((scope) => may.includes(scope)).join(" "));
    // Without this the provider would ask again and again for what is missing.
    grant.rejectResourceScope(resource, asked.filter((scope) => !may.includes(scope)).join(" "));
  }
  return { login: { accountId: account }, consent: { grantId: await grant.save() } };
}

const resourcesOf = (params) => [params.resource ?? []].flat();
