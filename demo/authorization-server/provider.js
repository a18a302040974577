// The settings of the authorization server.
import Provider, { errors } from "oidc-provider";

import { errorPage } from "./pages.js";
import { signIn } from "./sign-in.js";

const DAY_SECONDS = 24 * 60 * 60;
const SIGN_IN_SECONDS = 600;

// The client of `make token`. It alone can choose how long its tokens live.
const TOKEN_CLIENT = "make-token";

export function createProvider({ issuer, settings, keys, storage, cookieKeys }) {
  const { accounts, cookiePrefix } = settings;
  const sessionCookie = `${cookiePrefix}_session`;
  const provider = new Provider(issuer, {
    adapter: storage,
    jwks: { keys },
    clients: [
      {
        client_id: TOKEN_CLIENT,
        client_name: "make token",
        token_endpoint_auth_method: "none",
        redirect_uris: [`${issuer}/make-token`],
      },
      {
        client_id: settings.introspectionClient.clientId,
        client_secret: settings.introspectionClient.clientSecret,
        grant_types: [],
        response_types: [],
        redirect_uris: [],
      },
      ...settings.clients.map(registered),
    ],
    cookies: {
      keys: cookieKeys,
      names: {
        session: sessionCookie,
        interaction: `${cookiePrefix}_interaction`,
        resume: `${cookiePrefix}_resume`,
      },
    },
    responseTypes: ["code"],
    scopes: ["openid", "offline_access"],
    pkce: { required: () => true },
    findAccount: (ctx, sub) =>
      accounts.has(sub) ? { accountId: sub, claims: () => ({ sub }) } : undefined,
    extraTokenClaims: (ctx, token) => accounts.get(token.accountId)?.claims,
    ttl: {
      AccessToken: (ctx, token, client) => accessTokenSeconds(settings, ctx, client),
      Grant: DAY_SECONDS,
      IdToken: SIGN_IN_SECONDS,
      Interaction: SIGN_IN_SECONDS,
      RefreshToken: DAY_SECONDS,
      Session: DAY_SECONDS,
    },
    issueRefreshToken: (ctx, client, code) =>
      client.grantTypeAllowed("refresh_token") &&
      (settings.refreshTokens === "always" || code.scopes.has("offline_access")),
    // A refresh token that is used again ends the grant.
    rotateRefreshToken: settings.rotates,
    // Every sign-in makes a session of its own (see `forgetSession`); a token lives on without it.
    expiresWithSession: () => false,
    // Clients put the scope of the first challenge into their registration and
    // could then never ask for more.
    extraClientMetadata: {
      properties: ["scope"],
      validator: (ctx, name, value, metadata) => {
        delete metadata.scope;
      },
    },
    clientBasedCORS: () => true,
    fetch: (url, options) => documentOrFetch(settings.clientDocuments, url, options),
    renderError: (ctx, out) => {
      ctx.type = "html";
      ctx.body = errorPage(out);
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      registration: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
      introspection: {
        enabled: true,
        allowedPolicy: (ctx, client) => client.clientId === settings.introspectionClient.clientId,
      },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource) => resourceServer(settings, resource),
      },
    },
  });

  provider.use(registrationAcrossOrigins);
  provider.use(forgetSession(sessionCookie));
  provider.use(signIn(provider, settings));
  return provider;
}

function registered({ clientId, clientSecret, name, redirectUris }) {
  return {
    client_id: clientId,
    client_name: name,
    redirect_uris: redirectUris,
    ...(clientSecret === null
      ? { token_endpoint_auth_method: "none" }
      : { token_endpoint_auth_method: "client_secret_basic", client_secret: clientSecret }),
  };
}

function resourceServer({ scopes, jwtResources, opaqueResources }, resource) {
  if (jwtResources.includes(resource)) {
    return { scope: scopes.join(" "), accessTokenFormat: "jwt" };
  }
  if (opaqueResources.includes(resource)) {
    return { scope: scopes.join(" "), accessTokenFormat: "opaque" };
  }
  throw new errors.InvalidTarget("the resource is none of this authorization server's");
}

function accessTokenSeconds(settings, ctx, client) {
  if (client.clientId !== TOKEN_CLIENT || ctx.oidc.body.ttl === undefined) {
    return settings.accessTokenSeconds;
  }
  const seconds = Number(ctx.oidc.body.ttl);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > DAY_SECONDS) {
    throw new errors.InvalidRequest(`ttl is not a number of seconds from 1 to ${DAY_SECONDS}`);
  }
  return seconds;
}

// Client ids must be https URLs, which a test on loopback has no server for.
function documentOrFetch(documents, url, options) {
  return Object.hasOwn(documents, url) ? Response.json(documents[url]) : fetch(url, options);
}

// The provider answers browsers of other origins everywhere but here.
async function registrationAcrossOrigins(ctx, next) {
  if (ctx.path !== "/reg") return next();
  ctx.set("Access-Control-Allow-Origin", "*");
  if (ctx.method !== "OPTIONS") return next();
  ctx.set("Access-Control-Allow-Methods", "POST");
  ctx.set("Access-Control-Allow-Headers", "Content-Type, MCP-Protocol-Version");
  ctx.status = 204;
  return undefined;
}

// An account is chosen at every sign-in, so that one can try the accounts in turn.
const forgetSession = (sessionCookie) => (ctx, next) => {
  const { cookie } = ctx.req.headers;
  if (cookie !== undefined && ctx.path.startsWith("/auth")) {
    ctx.req.headers.cookie = cookie
      .split("; ")
      .filter((pair) => !pair.startsWith(sessionCookie))
      .join("; ");
  }
  return next();
};
