"""The functions of the module stand in the order of the list."""

from __future__ import annotations

from module.hot_functions import hot
from module.order import names, ranks, share_found, stable, with_names
from module.wasm import CUSTOM, PREAMBLE, Reader, number, sections, sized

CODE = bytes([10]) + sized(b"code, as it is")
OTHER = bytes([CUSTOM]) + sized(sized(b"other") + b"kept")

# One function as two builds of the crate name it.
OF_ONE_BUILD = "_RNvNtCs9w8RDfpKrLd_4wasi13lib_generated10random_getB3_"
OF_ANOTHER = "_RNvNtCs2Kh28TXMbM1_4wasi13lib_generated10random_getB12_"


def test_numbers_are_read_as_they_are_written() -> None:
    for value in (0, 1, 127, 128, 300, 2**32 - 1):
        assert Reader(number(value)).number() == value


def test_names_are_replaced_and_nothing_else_changes() -> None:
    named = with_names(PREAMBLE + CODE + OTHER, {0: "first", 200: "x" * 300})
    assert names(named) == {0: "first", 200: "x" * 300}
    renamed = with_names(named, {0: "second"})
    assert names(renamed) == {0: "second"}
    assert renamed.startswith(PREAMBLE + CODE + OTHER)
    assert [kind for kind, _ in sections(renamed)] == [10, CUSTOM, CUSTOM]


def test_a_module_without_names_has_none() -> None:
    assert names(PREAMBLE + CODE) == {}


def test_a_function_is_known_again_in_another_build() -> None:
    assert OF_ONE_BUILD != OF_ANOTHER
    assert stable(OF_ONE_BUILD) == stable(OF_ANOTHER)
    assert stable("memcmp") == "memcmp"


def test_hot_functions_come_first_in_the_order_of_the_list() -> None:
    found = {3: "cold", 4: OF_ANOTHER, 5: "memcmp", 6: "colder"}
    given = ranks(found, ["memcmp", stable(OF_ONE_BUILD), "gone"])
    assert sorted(given, key=lambda index: given[index]) == [5, 4, 3, 6]
    assert share_found(found, ["memcmp", stable(OF_ONE_BUILD), "gone", "gone too"]) == 0.5


def test_what_a_stream_calls_is_hot_when_it_is_run_the_second_time() -> None:
    lines = [
        '   1: *wasm-function[1] "proxy_on_context_create" {',
        '   2:  *wasm-function[2] "of_the_root" {',
        '   1: *wasm-function[1] "proxy_on_context_create" {',
        '   2:  *wasm-function[3] "of_the_first_time" {',
        '   1: *wasm-function[1] "proxy_on_context_create" {',
        '   2:  *wasm-function[4] "twice" {',
        "   2:  } -> 1",
        '   2:  *wasm-function[4] "twice" {',
        f'   3:  *wasm-function[5] "{OF_ONE_BUILD}" {{',
    ]
    assert hot("\n".join(lines)) == ["proxy_on_context_create", "twice", stable(OF_ONE_BUILD)]
