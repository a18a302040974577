"""The functions of the module stand in the order in which requests come by them."""

from __future__ import annotations

from module.order import in_order, with_names
from module.wasm import CODE, CUSTOM, FUNCTION, IMPORT, PREAMBLE, Reader, number, section, sized
from module.wasm import sections

SOME_CODE = section(CODE, b"code, as it is")
OTHER = section(CUSTOM, sized(b"other") + b"kept")


def names(module: bytes) -> dict[int, str]:
    for kind, data in sections(module):
        reader = Reader(data)
        if kind == CUSTOM and reader.name() == "name":
            found = Reader(dict(reader.parts())[1])
            return {found.number(): found.name() for _ in range(found.number())}
    return {}


def test_numbers_are_read_as_they_are_written() -> None:
    for value in (0, 1, 127, 128, 300, 2**32 - 1):
        assert Reader(number(value)).number() == value


def test_names_are_replaced_and_nothing_else_changes() -> None:
    named = with_names(PREAMBLE + SOME_CODE + OTHER, {0: "first", 200: "x" * 300})
    assert names(named) == {0: "first", 200: "x" * 300}
    renamed = with_names(named, {0: "second"})
    assert names(renamed) == {0: "second"}
    assert renamed.startswith(PREAMBLE + SOME_CODE + OTHER)
    assert [kind for kind, _ in sections(renamed)] == [CODE, CUSTOM, CUSTOM]


def test_what_is_called_comes_first_and_in_its_order() -> None:
    imports = section(IMPORT, b"\x02" + 2 * (sized(b"env") + sized(b"f") + b"\x00\x00"))
    defined = section(FUNCTION, b"\x04\x00\x00\x00\x00")
    given = names(in_order(PREAMBLE + imports + defined, [3, 1]))
    # The imported ones have the first indices.
    assert sorted(given, key=lambda index: given[index]) == [2 + 3, 2 + 1, 2 + 0, 2 + 2]
