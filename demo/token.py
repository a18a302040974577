"""`make token`: an access token of the running demonstration, and nothing else, on stdout.

The fields come from the environment, where make puts the variables of its
command line: ACCOUNT, and optionally SCOPE, RESOURCE and TTL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from .stack.errors import StackError
from .stack.places import Ports
from .stack.sign_in import Client, Refused

ALL_SCOPES = "mcp:read mcp:write"

# Which of the fields an error of the authorization server is about.
FIELDS = {"access_denied": "ACCOUNT", "invalid_target": "RESOURCE", "invalid_request": "TTL"}


def access_token(fields: Mapping[str, str], ports: Ports) -> str:
    """Sign in as ACCOUNT and get a token as the other fields say."""
    account = fields.get("ACCOUNT", "")
    if not account:
        raise StackError("ACCOUNT is missing; for example: make token ACCOUNT=reader")
    # With openid there is always something to grant. Without, an account that
    # may have nothing of SCOPE would be refused instead of getting less.
    scope = f"openid {fields.get('SCOPE') or ALL_SCOPES}"
    try:
        answer = Client.for_tokens(ports.issuer).sign_in(
            ports.issuer,
            account,
            scope=scope,
            resource=fields.get("RESOURCE") or ports.everything,
            ttl=_seconds(fields.get("TTL") or "600"),
        )
    except Refused as refusal:
        raise StackError(f"{FIELDS.get(refusal.error, 'the sign-in')}: {refusal}") from refusal
    except OSError as error:
        raise StackError(
            f"the demonstration is not running (nothing answers at {ports.issuer}); "
            "start it with: make run"
        ) from error
    return str(answer["access_token"])


def _seconds(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise StackError(f"TTL: {text!r} is not a number of seconds") from error


def main() -> None:
    """Print the token."""
    try:
        print(access_token(os.environ, Ports()))
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
