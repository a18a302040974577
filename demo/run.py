"""`make run`: the whole demonstration on loopback, until it is stopped."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from module import build as module

from .stack import envoy, token_service, whole
from .stack.errors import StackError, Stopped
from .stack.places import CACHE, Ports
from .stack.ports import is_taken
from .stack.processes import Child, Processes
from .stack.tools import require_cargo, require_node

FIXED = Ports()
STATE = CACHE / "run"
POLL = 0.2


def run(ports: Ports, state: Path) -> None:
    """Set everything up, start it, and follow its logs until a signal comes."""
    with alone(state), Processes(state / "logs") as processes:
        processes.stop_on_signals()
        refuse_taken(ports)
        require_cargo()
        require_node(processes)

        say("building the filter (the first time takes a minute)")
        artefact = module.build(processes)
        say("building the token service (the first time takes some minutes)")
        service = token_service.build(processes)
        say("looking for Envoy")
        found = envoy.find(processes)
        say(f"Envoy {found.version}: {found.origin}")
        say("installing the authorization servers and the MCP servers")
        whole.install(processes)

        say("starting")
        # Copies: a build beside us must not change what this Envoy reloads.
        copies = [Path(shutil.copy(built, state)) for built in (artefact, service)]
        whole.start(processes, found, *copies, ports, state)

        print(summary(ports, state), flush=True)
        follow(processes)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Only one demonstration at a time can have this state directory."""
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError("the demonstration is running already") from error
        yield


def refuse_taken(ports: Ports) -> None:
    """Say before any work which port is not free, and what it is for."""
    uses = {
        ports.gate: "the gate (Envoy's listener)",
        ports.envoy_admin: "Envoy's admin interface",
        ports.authorization_server: "the authorization server",
        ports.everything_server: "the everything server",
        ports.notes_server: "the notes server",
        ports.notes_authorization_server: "the authorization server of the notes server",
        ports.token_service: "the token service",
        ports.token_service_filter: "the token service, where the gate asks it",
    }
    for port, use in uses.items():
        if is_taken(port):
            raise StackError(
                f"port {port} of 127.0.0.1 is taken, and the demonstration needs it for {use}; "
                "stop what listens there"
            )


def summary(ports: Ports, state: Path) -> str:
    """What runs where, and what to try."""
    return f"""
The demonstration runs:

  MCP endpoints         {ports.everything}
                        {ports.notes} (a service of somebody else)
  authorization server  {ports.issuer}
  token service         {ports.token_service_url}
  the notes service's
  authorization server  {ports.notes_issuer}
  Envoy's admin         http://127.0.0.1:{ports.envoy_admin}
  logs                  {state / "logs"}

Try, from another terminal in this directory:

  # Without a token: the challenge.
  curl -i -X POST {ports.everything}

  # An access token, for one of the accounts reader, writer and admin; and a session.
  TOKEN=$(make token ACCOUNT=reader)
  mcp() {{
    curl -s {ports.everything} -H "Authorization: Bearer $TOKEN" "$@" \\
      -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'
  }}
  SESSION=$(mcp -D - -o /dev/null -d '{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{
    "protocolVersion":"2025-11-25","capabilities":{{}},
    "clientInfo":{{"name":"curl","version":"1"}}}}}}' |
    tr -d '\\r' | sed -n 's/^mcp-session-id: //p')

  # Allowed.
  mcp -H "Mcp-Session-Id: $SESSION" -d '{{"jsonrpc":"2.0","id":2,"method":"tools/call",
    "params":{{"name":"echo","arguments":{{"message":"hello"}}}}}}'

  # Refused: this tool wants the scope mcp:write.
  mcp -i -H "Mcp-Session-Id: $SESSION" -d '{{"jsonrpc":"2.0","id":3,"method":"tools/call",
    "params":{{"name":"get-sum","arguments":{{"a":1,"b":2}}}}}}'

  # The notes service wants each user's own account there. In the newest protocol
  # revision, one request is a whole call.
  NOTES=$(make token ACCOUNT=reader RESOURCE={ports.notes})
  notes() {{
    curl -s {ports.notes} -H "Authorization: Bearer $NOTES" \
      -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
      -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H "Mcp-Name: $1" \
      -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"'"$1"'",
        "arguments":{{}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{{}},
        "io.modelcontextprotocol/clientInfo":{{"name":"curl","version":"1"}}}}}}}}'
  }}

  # Not connected yet: the link where reader agrees, in a browser or by make connect.
  notes whoami
  make connect ACCOUNT=reader

  # As reader of the notes service, with a token that this terminal never sees.
  notes whoami
  notes list-notes

  # Revoked and forgotten; the link comes back within five seconds.
  make disconnect ACCOUNT=reader

Ctrl-C stops everything. What the parts log:
"""


def follow(processes: Processes) -> None:
    """Show what the children log, until one ends or a signal comes."""
    read: dict[Child, int] = dict.fromkeys(processes.children, 0)
    while True:
        for child, offset in read.items():
            with open(child.log, "rb") as log:
                log.seek(offset)
                # A line that is still being written is left for the next time.
                *lines, _ = log.read().split(b"\n")
            read[child] = offset + sum(len(line) + 1 for line in lines)
            for line in lines:
                print(f"{child.name} | {line.decode('utf-8', errors='replace')}", flush=True)
        processes.check()
        time.sleep(POLL)


def say(step: str) -> None:
    """Tell how far it has come."""
    print(f"==> {step}", flush=True)


def main(ports: Ports = FIXED, state: Path = STATE) -> None:
    """Run, by default in the fixed places; tests have others."""
    try:
        run(ports, state)
    except Stopped as signal:
        say(f"stopped by {signal}")
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
