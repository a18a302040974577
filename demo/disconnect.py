"""`make disconnect`: revoke and forget what `make connect` brought.

ACCOUNT comes from the environment, where make puts the variables of its command line.
"""

from __future__ import annotations

import os
import sys

from .account import Account
from .connect import CONNECTED
from .stack.errors import StackError
from .stack.places import Ports
from .stack.token_service import NOTES


def disconnect(name: str, ports: Ports) -> str:
    """Disconnect an account from the notes server; says how it went."""
    account = Account(name, ports, "disconnect")
    if account.status(NOTES)["status"] != CONNECTED:
        return f"{name} is not connected to {NOTES}"
    account.disconnect(NOTES)
    return f"{name} is disconnected from {NOTES}"


def main() -> None:
    """Disconnect, and say how it went in one line."""
    try:
        print(disconnect(os.environ.get("ACCOUNT", ""), Ports()))
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
