"""An authorization server that signs what a test wants, and fails how it wants."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import tokens
from .recorder import LOOPBACK
from .tokens import Claims, Key

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
ACCOUNTS: dict[str, Claims] = {
    "reader": {"scope": "mcp:read"},
    "writer": {"scope": "mcp:read mcp:write"},
    "admin": {"scope": "mcp:read mcp:write", "roles": ["admin"]},
}
METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/jwks"
INTROSPECTION = "/introspect"

Answer = tuple[int, bytes]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@dataclass(eq=False, repr=False)
class Issuer:
    """Serves metadata, keys and introspection; `answers` replaces what a path serves."""

    port: int
    keys: list[Key] = field(default_factory=lambda: [Key.new("RS256", "first")])
    hits: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[str], Answer]] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    _server: _Server | None = None
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """The issuer identifier."""
        return f"http://{LOOPBACK}:{self.port}"

    def up(self) -> Issuer:
        """Begin to listen."""
        self._server = _Server((LOOPBACK, self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def down(self) -> None:
        """Stop to listen."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait_for_hit(self, path: str, count: int = 1) -> None:
        """Wait until a path was asked for that often."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self.hits.count(path) >= count, 10)
        assert reached, f"{path} was not asked for {count} times: {self.hits}"

    def claims(self, account: str, resource: str, **changes: object) -> Claims:
        """The claims of an access token; a change to None leaves the claim out."""
        now = int(time.time())
        claims: Claims = {
            "iss": self.url,
            "sub": account,
            "aud": resource,
            "client_id": "client-1",
            "iat": now,
            "exp": now + 3600,
            "jti": f"token-{next(self._ids)}",
            **ACCOUNTS.get(account, {}),
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        account: str,
        resource: str,
        *,
        key: Key | None = None,
        header: Claims | None = None,
        **changes: object,
    ) -> str:
        """An access token as RFC 9068 wants it, but for the changes."""
        key = key or self.keys[-1]
        header = {"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
        header = {name: value for name, value in header.items() if value is not None}
        return self.note(tokens.signed(header, self.claims(account, resource, **changes), key))

    def note(self, token: str) -> str:
        """Every token that a test sends is looked for afterwards where it must not be."""
        self.issued.append(token)
        return token

    def secrets(self) -> set[str]:
        """What of those tokens must not be found: of each the longest part."""
        return {max(token.split("."), key=len) for token in self.issued}

    def _serve(self, path: str, body: str) -> Answer:
        if path in self.answers:
            return self.answers[path](body)
        document: object
        if path == METADATA:
            document = {"issuer": self.url, "jwks_uri": f"{self.url}{JWKS}"}
        elif path == JWKS:
            document = {"keys": [key.jwk() for key in self.keys]}
        else:
            return 404, b""
        return 200, json.dumps(document).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length).decode()
                path = urllib.parse.urlsplit(self.path).path
                with issuer._changed:
                    issuer.hits.append(path)
                    issuer._changed.notify_all()
                status, answer = issuer._serve(path, body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                # Envoy must notice at once when this server goes down.
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
