"""Sign in at the demonstration's authorization server without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPMessage
from http.cookiejar import CookieJar

TIMEOUT = 10
MOST_STEPS = 10

# The client that is registered for `make token`. It may choose how long its tokens live.
TOKEN_CLIENT = "make-token"


class Refused(Exception):
    """The authorization server's answer was an error."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error


def follow(authorization_url: str, account: str) -> str:
    """Do what a person does with an authorization URL: choose an account.

    Returns the callback URL, with `code` or `error`, that a browser would be
    sent to in the end. It is not fetched.
    """
    callback = _one(authorization_url, "redirect_uri")
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(CookieJar()), _StayHere()
    )
    url, form = authorization_url, None
    for _ in range(MOST_STEPS):
        location = _step(browser, url, form)
        if location is None:
            # The page with the accounts.
            form = {"account": account}
            continue
        url, form = urllib.parse.urljoin(url, location), None
        if url.startswith(f"{callback}?"):
            return url
    raise Refused("sign_in", f"no way to {callback} in {MOST_STEPS} steps")


@dataclass(frozen=True)
class Client:
    """A client of the authorization server, as registered."""

    client_id: str
    redirect_uri: str
    client_secret: str | None = None

    @classmethod
    def for_tokens(cls, issuer: str) -> Client:
        """The client of `make token`."""
        return cls(TOKEN_CLIENT, f"{issuer}/make-token")

    def sign_in(
        self,
        issuer: str,
        account: str,
        *,
        scope: str,
        resource: str | None,
        ttl: int | None = None,
        more: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        """The authorization code flow with PKCE; returns the answer of the token endpoint.

        Without a `resource` it is a sign-in only. `ttl` is honoured for the client
        of `make token` only; `more` are further parameters of the authorization
        request.
        """
        target = {} if resource is None else {"resource": resource}
        verifier = secrets.token_urlsafe(32)
        state = secrets.token_urlsafe(16)
        digest = hashlib.sha256(verifier.encode()).digest()
        request = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            **target,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **(more or {}),
        }
        callback = follow(f"{issuer}/auth?{urllib.parse.urlencode(request)}", account)
        if _one(callback, "error"):
            raise Refused(_one(callback, "error"), _one(callback, "error_description"))
        if _one(callback, "state") != state or _one(callback, "iss") != issuer:
            raise Refused("sign_in", "the callback belongs to another request")
        exchange = {
            "grant_type": "authorization_code",
            "code": _one(callback, "code"),
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier,
            **target,
        }
        if ttl is not None:
            exchange["ttl"] = str(ttl)
        return self.token_request(issuer, exchange)

    def token_request(self, issuer: str, form: Mapping[str, str]) -> dict[str, object]:
        """Ask the token endpoint, as this client."""
        headers = {}
        if self.client_secret is None:
            form = {**form, "client_id": self.client_id}
        else:
            pair = f"{urllib.parse.quote(self.client_id)}:{urllib.parse.quote(self.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        request = urllib.request.Request(
            f"{issuer}/token", urllib.parse.urlencode(form).encode(), headers
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as failure:
            problem = json.load(failure)
            raise Refused(problem["error"], problem.get("error_description", "")) from failure


def register(issuer: str, redirect_uris: Sequence[str], **metadata: object) -> Client:
    """Register a client dynamically; a public one unless the metadata say otherwise."""
    body = {
        "client_name": "a client",
        "redirect_uris": list(redirect_uris),
        "token_endpoint_auth_method": "none",
        **metadata,
    }
    request = urllib.request.Request(
        f"{issuer}/reg", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        registered = json.load(answer)
    return Client(registered["client_id"], redirect_uris[0], registered.get("client_secret"))


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to `follow`, which must not fetch the callback."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: object,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _step(
    browser: urllib.request.OpenerDirector, url: str, form: Mapping[str, str] | None
) -> str | None:
    """Fetch one page; the address that it leads to, or None where a choice is due."""
    body = None if form is None else urllib.parse.urlencode(form).encode()
    try:
        with browser.open(urllib.request.Request(url, body), timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as answer:
        if answer.code in (302, 303):
            return answer.headers["Location"]
        raise Refused(f"HTTP {answer.code} from {url.partition('?')[0]}", "") from answer


def _one(url: str, parameter: str) -> str:
    values = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).get(parameter, [""])
    return values[0]
