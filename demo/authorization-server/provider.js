// The settings of the authorization server.
import Provider, { errors } from "oidc-provider";

import { ACCOUNTS, SCOPES } from "./accounts.js";
import { errorPage } from "./pages.js";
import { signIn } from "./sign-in.js";

const DAY_SECONDS = 24 * 60 * 60;
const ACCESS_TOKEN_SECONDS = 600;

// The client of `make token`. It alone can choose how long its tokens live.
const TOKEN_CLIENT = "make-token";

// Cookies do not tell ports apart: another server on 127.0.0.1 must not share ours.
const SESSION_COOKIE = "demo_as_session";

export function createProvider({ issuer, settings, keys, storage, cookieKeys }) {
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
    ],
    cookies: {
      keys: cookieKeys,
      names: {
        session: SESSION_COOKIE,
        interaction: "demo_as_interaction",
        resume: "demo_as_resume",
      },
    },
    responseTypes: ["code"],
    scopes: ["openid", "offline_access"],
    pkce: { required: () => true },
    findAccount: (ctx, sub) =>
      ACCOUNTS.has(sub) ? { accountId: sub, claims: () => ({ sub }) } : undefined,
    extraTokenClaims: (ctx, token) => ACCOUNTS.get(token.accountId)?.claims,
    ttl: {
      AccessToken: accessTokenSeconds,
      Grant: DAY_SECONDS,
      IdToken: ACCESS_TOKEN_SECONDS,
      Interaction: ACCESS_TOKEN_SECONDS,
      RefreshToken: DAY_SECONDS,
      Session: DAY_SECONDS,
    },
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
  provider.use(forgetSession);
  provider.use(signIn(provider));
  return provider;
}

function resourceServer({ jwtResources, opaqueResources }, resource) {
  if (jwtResources.includes(resource)) {
    return { scope: SCOPES.join(" "), accessTokenFormat: "jwt" };
  }
  if (opaqueResources.includes(resource)) {
    return { scope: SCOPES.join(" "), accessTokenFormat: "opaque" };
  }
  throw new errors.InvalidTarget("the resource is none of this authorization server's");
}

function accessTokenSeconds(ctx, token, client) {
  if (client.clientId !== TOKEN_CLIENT || ctx.oidc.body.ttl === undefined) {
    return ACCESS_TOKEN_SECONDS;
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
function forgetSession(ctx, next) {
  const { cookie } = ctx.req.headers;
  if (cookie !== undefined && ctx.path.startsWith("/auth")) {
    ctx.req.headers.cookie = cookie
      .split("; ")
      .filter((pair) => !pair.startsWith(SESSION_COOKIE))
      .join("; ");
  }
  return next();
}
