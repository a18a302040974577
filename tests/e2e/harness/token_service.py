"""A token service that says what a test wants: resolve calls, and RFC 8693 token exchange."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .bootstrap import Json
from .recorder import LOOPBACK, PATIENCE

RESOLVE = "/v1/credentials/resolve"
TOKEN = "/token"
KEY = "the-key-of-the-filter-at-the-token-service"
CLUSTER = "token-service"
CONNECT = "https://tokens.example/connect/"


@dataclass(frozen=True)
class Asked:
    """One call, as the service got it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body of a resolve call."""
        return dict(json.loads(self.body))

    @property
    def form(self) -> dict[str, str]:
        """The body of a token exchange."""
        return dict(urllib.parse.parse_qsl(self.body.decode(), strict_parsing=True))

    @property
    def subject(self) -> str:
        """Whose credential a resolve call is for."""
        return str(self.json["subject"]["id"])


@dataclass(frozen=True)
class Answer:
    """What the service answers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class HangUp(Exception):
    """Raised by a script: close the connection without an answer."""


Script = Callable[[Asked], Answer]


def answer(status: int, document: object, **headers: str) -> Answer:
    """An answer in JSON."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), names)


def authenticated(token: str, *, version: str = "1", ttl: int = 60, **changes: Any) -> Answer:
    """The credential is there."""
    document = {
        "status": "authenticated",
        "method": "oauth",
        "headers": [{"name": "authorization", "value": f"Bearer {token}"}],
        "credential_version": version,
        "expires_at": int(time.time()) + 3600,
        "cache_ttl_s": ttl,
        **changes,
    }
    return answer(200, {name: value for name, value in document.items() if value is not None})


def not_required() -> Answer:
    """The server wants no credential."""
    document = {"status": "authentication_not_required", "reason": "public", "cache_ttl_s": 60}
    return answer(200, document)


def consent(url: str | None = f"{CONNECT}handle", **changes: Any) -> Answer:
    """The user has to connect an account first."""
    detail: Json = {"code": "authentication_required", "authType": "oauth"}
    if url is not None:
        detail["authorizeUrl"] = url
    document = {
        "status": "authentication_required",
        "reason": "consent_missing",
        "authorization_endpoint": url,
        "detail": detail,
        "elicitation_id": "elicitation-1",
        "expires_in": 600,
        "cache_ttl_s": 0,
        **changes,
    }
    return answer(403, {name: value for name, value in document.items() if value is not None})


def error(status: int, code: str, **headers: str) -> Answer:
    """The service says no."""
    document = {"error": {"code": code, "message": "no", "request_id": "r"}}
    return answer(status, document, **headers)


def exchanged(token: str, **changes: Any) -> Answer:
    """What a token exchange endpoint answers (RFC 8693, section 2.2.1)."""
    document = {
        "access_token": token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 300,
        **changes,
    }
    return answer(200, {name: value for name, value in document.items() if value is not None})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Envoy hangs up where a call takes too long."""


@dataclass(eq=False, repr=False)
class TokenService:
    """Gives each subject a credential of its own; `script` replaces what it answers."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    script: Script | None = None
    _server: _Server | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def up(self) -> TokenService:
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

    def forget(self) -> None:
        """A new test begins."""
        self.asked, self.versions, self.script = [], {}, None

    def credential(self, subject: str) -> str:
        """The upstream token of a subject, as it is now."""
        return f"upstream-{subject}-{self.versions.get(subject, 1)}"

    def usual(self, asked: Asked) -> Answer:
        """The credential of whoever is asked for; a rejected one is replaced."""
        if asked.path == TOKEN:
            claims = asked.form["subject_token"]
            return exchanged(f"exchanged-{hash(claims) & 0xFFFFFFFF:x}")
        subject = asked.subject
        rejected = asked.json.get("rejected")
        current = str(self.versions.get(subject, 1))
        if rejected is not None and rejected["credential_version"] == current:
            self.versions[subject] = int(current) + 1
        version = str(self.versions.get(subject, 1))
        return authenticated(self.credential(subject), version=version)

    def wait_for_calls(self, count: int) -> None:
        """Wait until it was asked that often."""
        with self._changed:
            reached = self._changed.wait_for(lambda: len(self.asked) >= count, PATIENCE)
        assert reached, f"not asked {count} times: {[each.path for each in self.asked]}"

    def calls_for(self, subject: str) -> list[Json]:
        """What was asked about a subject."""
        return [asked.json for asked in list(self.asked) if asked.subject == subject]

    def policy(self, kind: str = "resolve", **changes: Any) -> Json:
        """Its entry in the filter's configuration; the key is in the configuration here."""
        target: Json = {"cluster": CLUSTER, "url": f"{self.url}{RESOLVE}", "key": KEY}
        if kind == "exchange":
            target = {
                "cluster": CLUSTER,
                "url": f"{self.url}{TOKEN}",
                "client_id": "gate",
                "client_secret": KEY,
            }
        return {"id": "vault", kind: target, "timeout_ms": 5000, "cache_seconds": 60, **changes}

    def add_cluster(self, config: Json) -> None:
        """Its cluster in Envoy's configuration."""
        address = {"socket_address": {"address": LOOPBACK, "port_value": self.port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        config["static_resources"]["clusters"].append(
            {
                "name": CLUSTER,
                "connect_timeout": "2s",
                "load_assignment": {"cluster_name": CLUSTER, "endpoints": endpoints},
            }
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.path, headers, self.rfile.read(length))
                with service._changed:
                    service.asked.append(asked)
                    service._changed.notify_all()
                self.close_connection = True
                try:
                    given = (service.script or service.usual)(asked)
                except HangUp:
                    return
                self.send_response(given.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(given.body)))
                # Envoy must notice at once when this server goes down.
                self.send_header("connection", "close")
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(given.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
