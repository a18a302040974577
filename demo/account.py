"""The token service's APIs, as one of the demonstration's accounts."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

from .stack.errors import StackError
from .stack.places import Ports
from .token import access_token

TIMEOUT = 15


class Account:
    """An account of the demonstration, signed in for the token service."""

    def __init__(self, name: str, ports: Ports, target: str) -> None:
        if not name:
            raise StackError(f"ACCOUNT is missing; for example: make {target} ACCOUNT=reader")
        self.name = name
        self._service = ports.token_service_url
        self._token = access_token({"ACCOUNT": name, "RESOURCE": self._service}, ports)

    def authorize(self, server: str) -> dict[str, object]:
        """Whether this account is connected to a server, and if not, the link to do it."""
        return self._ask("GET", f"{server}/authorize")

    def status(self, server: str) -> dict[str, object]:
        """Whether this account is connected to a server."""
        return self._ask("GET", f"{server}/auth/status", self._subject)

    def disconnect(self, server: str) -> None:
        """Revoke and forget what was granted to this account."""
        self._ask("DELETE", f"{server}/auth", body={"authSource": "oauth", **self._subject})

    @property
    def _subject(self) -> dict[str, str]:
        return {"subjectId": self.name, "subjectType": "user"}

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        url = f"{self._service}/api/svc/v1/mcp/{path}"
        if query:
            url += f"?{urllib.parse.urlencode(query)}"
        headers = {"Authorization": f"Bearer {self._token}"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        request = urllib.request.Request(url, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return dict(json.loads(answer.read() or b"{}"))
        except urllib.error.HTTPError as refusal:
            raise StackError(f"the token service answers {refusal.code}: {_words(refusal)}") from refusal
        except OSError as error:
            raise StackError(
                f"the token service is not running (nothing answers at {self._service}); "
                "start the demonstration with: make run"
            ) from error


def _words(refusal: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(refusal)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(refusal.reason)
