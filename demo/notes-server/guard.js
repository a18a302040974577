// Who may do what: anybody may look, and for everything else an access token of
// the one authorization server, made out to this server, is needed.
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from "jose";

// What works without a user, as at many services: finding out what there is.
const OPEN = new Set(["initialize", "notifications/initialized", "ping", "server/discover", "tools/list"]);

export class InvalidToken extends Error {}

export function createGuard({ issuer, resource }) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), {
    timeoutDuration: 5_000,
    [customFetch]: (url, options) => fetch(url, { ...options, redirect: "error" }),
  });

  return {
    isOpen: (message) => OPEN.has(message?.method),

    // The user behind an Authorization header, `undefined` where there is none.
    // A token that is present has to be valid, also where none is needed.
    async userOf(authorization) {
      if (authorization === null) return undefined;
      const [, token] = /^Bearer ([\w~+/.-]+=*)$/i.exec(authorization) ?? [];
      if (token === undefined) throw new InvalidToken("this is no bearer token");
      const claims = await verified(token, keys, { issuer, audience: resource });
      return {
        token,
        clientId: claims.client_id,
        scopes: (claims.scope ?? "").split(" "),
        expiresAt: claims.exp,
        extra: { issuer: claims.iss, subject: claims.sub },
      };
    },
  };
}

async function verified(token, keys, { issuer, audience }) {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ["RS256"],
      typ: "at+jwt",
      requiredClaims: ["exp", "sub", "client_id"],
    });
    return payload;
  } catch (error) {
    if (isOfToken(error)) throw new InvalidToken(WORDS[error.code] ?? "the token is not valid here");
    throw error;
  }
}

const WORDS = { ERR_JWT_EXPIRED: "the token has expired" };

// Everything but a key set that could not be had.
const isOfToken = (error) =>
  error instanceof errors.JOSEError &&
  !(error instanceof errors.JWKSTimeout) &&
  !(error instanceof errors.JWKSInvalid) &&
  error.code !== "ERR_JOSE_GENERIC";
