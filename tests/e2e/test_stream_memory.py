"""Long streams and large answers cost no memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.answers import EVENTS, JSON, chunk, event, head, opened, result, text
from harness.gate import Gate
from harness.messages import call, notification
from harness.recorder import Script, Wire

ECHO = call("echo")
MEBIBYTE = 1 << 20
VM_MEMORY = "wasmcustom.mcp_auth.vm_memory_bytes"

# What buffers between two connections may hold at any time, and more; and what the VM may
# hold of one answer, and again while it puts it together.
SLACK = 16 * MEBIBYTE
VM_SLACK = 8 * MEBIBYTE


def many_events(size: int) -> Iterator[bytes]:
    """Events of about 50 kB."""
    one = event(notification("notifications/message", level="info", data="x" * 50_000))
    for _ in range(size // len(one)):
        yield one
    yield event(result())


def one_event(size: int) -> Iterator[bytes]:
    """The result of a call as one event."""
    yield b"data: "
    yield from one_message(size)
    yield b"\n\n"


def one_message(size: int) -> Iterator[bytes]:
    """The result of a call as one JSON text."""
    before, after = text(result(content=[{"type": "text", "text": "?"}])).split(b"?")
    yield before
    for _ in range(size // 65_536):
        yield b"x" * 65_536
    yield after


def sends(parts: Iterator[bytes], media: str) -> Script:
    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head(media=media))
        for part in parts:
            await wire.send(chunk(part))
        await wire.send(b"0\r\n\r\n")

    return script


class Memory:
    """What the gate's process has taken at most since this was made (Linux)."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._process = Path(f"/proc/{gate.envoy.pid}")
        (self._process / "clear_refs").write_text("5")
        self._peak, self._vm = self._now()

    def _now(self) -> tuple[int, int]:
        lines = (self._process / "status").read_text(encoding="utf-8").splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024, self._gate.stat(VM_MEMORY)

    def grown(self) -> tuple[int, int]:
        """By how much: all of it, and that of the VM."""
        peak, vm = self._now()
        return peak - self._peak, vm - self._vm


@pytest.mark.parametrize(
    ("parts", "media", "size"),
    [
        (many_events, EVENTS, 100 * MEBIBYTE),
        (one_event, EVENTS, 100 * MEBIBYTE),
        (one_message, JSON, 60 * MEBIBYTE),
    ],
    ids=["events", "one event", "JSON"],
)
def test_a_long_answer_to_a_call_passes_whole_with_flat_memory(
    holding_keyed: Gate, parts: object, media: str, size: int
) -> None:
    def passes(size: int) -> None:
        expected = sum(len(part) for part in parts(size))  # type: ignore[operator]
        holding_keyed.recorder.script = sends(parts(size), media)  # type: ignore[operator]
        got, tail = 0, b""
        with opened(holding_keyed, ECHO) as response:
            for part in response.iter_raw():
                got += len(part)
                tail = (tail + part)[-100:]
        assert got == expected
        assert b'"id"' in tail or tail.endswith((b"}]}}", b"}]}}\n\n")), tail

    passes(8 * MEBIBYTE)
    memory = Memory(holding_keyed)
    passes(size)
    whole, vm = memory.grown()
    assert vm <= VM_SLACK, f"the VM has grown by {vm} bytes"
    assert whole < SLACK, f"Envoy has grown by {whole} bytes"


def test_a_list_that_never_ends_is_held_up_to_the_limit_and_no_further(
    holding_keyed: Gate,
) -> None:
    def endless(size: int) -> Iterator[bytes]:
        yield b'data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get-env"}'
        for _ in range(size // 65_536):
            yield b',{"name":"echo","x":"' + b"x" * 65_500 + b'"}'
        yield b"]}}\n\n"

    def withheld(size: int) -> None:
        holding_keyed.recorder.script = sends(endless(size), EVENTS)
        with opened(holding_keyed, call("echo")) as response:
            body = response.read()
        assert b"get-env" not in body and b"echo" not in body
        assert json.loads(body.split(b"data: ")[1])["error"]

    withheld(8 * MEBIBYTE)
    memory = Memory(holding_keyed)
    withheld(100 * MEBIBYTE)
    whole, vm = memory.grown()
    assert vm <= VM_SLACK, f"the VM has grown by {vm} bytes"
    assert whole < SLACK, f"Envoy has grown by {whole} bytes"


def test_a_client_that_does_not_read_holds_up_its_upstream(holding_keyed: Gate) -> None:
    """And not the gate's memory."""
    sent: list[int] = []
    over: list[bool] = []

    async def script(wire: Wire) -> None:
        await wire.ended.wait()
        await wire.send(head())
        try:
            for part in many_events(100 * MEBIBYTE):
                await wire.send(chunk(part))
                sent.append(len(part))
        finally:
            over.append(True)

    holding_keyed.recorder.script = script
    memory = Memory(holding_keyed)
    with opened(holding_keyed, ECHO) as response:
        parts = response.iter_raw()
        next(parts)
        # Once nothing more is sent for a while, everything between is full.
        holding_keyed.recorder.wait("some of the stream", lambda: len(sent) > 20)
        paused = holding_keyed.recorder.pauses(lambda: len(sent))
        assert paused < 100 * MEBIBYTE // 50_000
    holding_keyed.recorder.wait("its end", lambda: bool(over))
    whole, _ = memory.grown()
    assert whole < SLACK, f"Envoy has grown by {whole} bytes"
