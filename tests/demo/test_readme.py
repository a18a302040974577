"""What the README says to try, pasted as it stands: the answers are the README's."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

from test_connect import wait_for_link

from demo.disconnect import disconnect
from demo.stack.places import ROOT, Ports

Step = tuple[str, list[str]]

END = "== end of an answer =="
# `make` in a shell of the test's: the same commands, of the demonstration in its places.
MAKE = """
import os, sys
from demo import connect, disconnect, token
from demo.stack.places import Ports
ports, account = {ports!r}, os.environ["ACCOUNT"]
said = {{
    "token": lambda: token.access_token(os.environ, ports),
    "connect": lambda: connect.connect(account, ports),
    "disconnect": lambda: disconnect.disconnect(account, ports),
}}
print(said[sys.argv[1]]())
"""


def steps(ports: Ports) -> list[Step]:
    """The commands after `make run`, each with what it prints, moved to other places."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = text[text.index("## Try it") : text.index("## Use it")]
    for name, port in vars(Ports()).items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{getattr(ports, name)}")
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            elif line.startswith("  ") and not found[-1][1]:
                found[-1] = (f"{found[-1][0]}\n{line}", [])
            else:
                found[-1][1].append(line)
    return [step for step in found if step[0] != "make run"]


def pasted(commands: list[str], ports: Ports) -> list[list[str]]:
    """What each command prints, one after the other in one shell."""
    program = shlex.join([sys.executable, "-c", MAKE.format(ports=ports)])
    make = f'make() {{ local what=$1; shift; env "$@" {program} "$what"; }}'
    script = "\n".join([make, *(f"{command}\necho; echo '{END}'" for command in commands)])
    shell = subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (shell.returncode, shell.stderr) == (0, ""), (shell.stdout, shell.stderr)
    return [lines(answer) for answer in shell.stdout.split(f"{END}\n")[:-1]]


def lines(text: str) -> list[str]:
    """Without what is another each time, and without the headers that any answer has."""
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>", text)
    text = re.sub(r"(/connect/)[\w-]{20,}", r"\1<handle>", text)
    usual = re.compile("(date|server|content-length|x-envoy-upstream-service-time): ")
    return [line.rstrip() for line in text.splitlines() if line.strip() and not usual.match(line)]


def test_the_answers_are_those_of_the_readme(running: Ports) -> None:
    disconnect("reader", running)
    wait_for_link(running, "reader")
    told = steps(running)
    answers = pasted([command for command, _ in told], running)
    assert len(answers) == len(told) > 10
    for (command, said), answer in zip(told, answers, strict=True):
        wanted = lines("\n".join(said))
        # An answer that the README cuts off.
        if wanted and wanted[-1].endswith("…"):
            wanted[-1] = wanted[-1].removesuffix("…").rstrip()
            answer = [line[: len(wanted[-1])] for line in answer]
        assert answer == wanted, command
