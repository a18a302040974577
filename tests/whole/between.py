"""What stands between two parts of a system, and sees what passes."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import jwt

from demo.stack.places import LOOPBACK

# What the notes server answers without a user: `optional_for` in envoy/static.yaml.
OPEN = {"initialize", "notifications/initialized", "ping", "server/discover", "tools/list"}
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Server(ThreadingHTTPServer):
    """Takes as many connections at a time as there are calls."""

    daemon_threads = True
    request_queue_size = 128


class Between:
    """A server on loopback, from now until it is stopped."""

    def __init__(self) -> None:
        self._server = Server((LOOPBACK, 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        raise NotImplementedError


class Provider(Between):
    """What stands between the token service and the token endpoint of the notes' provider.

    The forms have one more field: `replica`, the number of the replica that asks.
    `before` is called with the form before it goes on, `after` before the answer
    goes back. One that returns False hangs up instead.
    """

    def __init__(self, issuer: str) -> None:
        self.forms: list[dict[str, str]] = []
        self.before: Callable[[dict[str, str]], bool] = lambda form: True
        self.after: Callable[[dict[str, str]], bool] = lambda form: True
        self._issuer = issuer
        super().__init__()

    def token_endpoint(self, replica: int) -> str:
        """The token endpoint, as a replica of the token service knows it."""
        return f"http://{LOOPBACK}:{self.port}/token?replica={replica}"

    @property
    def refreshes(self) -> int:
        """How many refreshes have reached it."""
        return sum(self.refreshes_by_replica.values())

    @property
    def refreshes_by_replica(self) -> Counter[int]:
        """How many refreshes of each replica have reached it."""
        forms = [form for form in list(self.forms) if form["grant_type"] == "refresh_token"]
        return Counter(int(form["replica"]) for form in forms)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                query = urllib.parse.urlsplit(self.path).query
                form = dict(urllib.parse.parse_qsl(f"{query}&{content.decode()}"))
                provider.forms.append(form)
                self.close_connection = True
                if not provider.before(form):
                    return
                headers = {"content-type": self.headers["content-type"]}
                if "authorization" in self.headers:
                    headers["authorization"] = self.headers["authorization"]
                answer = httpx.post(f"{provider._issuer}/token", content=content, headers=headers)
                if not provider.after(form):
                    return
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@dataclass(frozen=True)
class Arrival:
    """A request as it came to the notes server."""

    line: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    def contains(self, secret: str) -> bool:
        """Whether this is anywhere in it."""
        head = [self.line, *(f"{key}: {value}" for key, value in self.headers)]
        return secret in "\n".join(head) or secret.encode() in self.body

    @property
    def message(self) -> dict[str, object]:
        """The JSON-RPC message, where it has one."""
        return dict(json.loads(self.body)) if self.body else {}

    @property
    def needs_a_credential(self) -> bool:
        """Whether the notes server has to know the user."""
        return self.line.startswith("POST ") and self.message.get("method") not in OPEN


class Upstream(Between):
    """What stands between Envoy and the notes server, and keeps what arrives."""

    def __init__(self, port: int) -> None:
        self.arrivals: list[Arrival] = []
        self._notes_server = port
        super().__init__()

    def credentials(self, account: str) -> set[str]:
        """The different credentials with which this account's calls came."""
        calls = [arrival for arrival in list(self.arrivals) if arrival.message.get("id") == account]
        return {value for arrival in calls for value in arrival.values("authorization")}

    def faults(
        self, issuer: str, resource: str, gates_issuer: str, client_tokens: Collection[str]
    ) -> list[str]:
        """What arrived and should not have, each in a line.

        The right credential is from `issuer`, for `resource` and the user whose
        call it is: the tests' calls have the name of their account as id.
        """
        keys = jwt.PyJWKClient(f"{issuer}/jwks")
        subjects: dict[str, str] = {}

        def subject(authorization: str) -> str:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise jwt.InvalidTokenError(f"a credential with the scheme {scheme!r}")
            # A token that has ended is still the right one; the server refuses it by itself.
            claims = jwt.decode(
                token,
                keys.get_signing_key_from_jwt(token),
                algorithms=["RS256"],
                issuer=issuer,
                audience=resource,
                options={"verify_exp": False, "require": ["sub", "exp"]},
            )
            return str(claims["sub"])

        def fault(arrival: Arrival) -> str | None:
            caller = arrival.message.get("id")
            if any(arrival.contains(token) for token in client_tokens):
                return "has the client's own token"
            named = arrival.values("x-mcp-subject"), arrival.values("x-mcp-issuer")
            if named != ([caller], [gates_issuer]):
                return f"names its caller as {named}"
            credentials = arrival.values("authorization")
            if not credentials and not arrival.needs_a_credential:
                return None
            if len(credentials) != 1:
                return f"has {len(credentials)} credentials"
            if credentials[0] not in subjects:
                try:
                    subjects[credentials[0]] = subject(credentials[0])
                except jwt.PyJWTError as error:
                    return f"has a credential of no use there: {error!r}"
            found = subjects[credentials[0]]
            return None if found == caller else f"has the credential of {found!r}"

        return [
            f"{number}: {arrival.line}, a call of {arrival.message.get('id')!r}, {problem}"
            for number, arrival in enumerate(list(self.arrivals))
            if (problem := fault(arrival)) is not None
        ]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def pass_on(self) -> None:
                assert "transfer-encoding" not in self.headers
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                arrival = Arrival(f"{self.command} {self.path}", self.headers.items(), body)
                upstream.arrivals.append(arrival)
                server = http.client.HTTPConnection(LOOPBACK, upstream._notes_server, timeout=30)
                try:
                    server.putrequest(
                        self.command, self.path, skip_host=True, skip_accept_encoding=True
                    )
                    for name, value in arrival.headers:
                        server.putheader(name, value)
                    server.endheaders(body)
                    answer = server.getresponse()
                    content = answer.read()
                finally:
                    server.close()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET = do_DELETE = pass_on

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
