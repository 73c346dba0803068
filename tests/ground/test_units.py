"""Counts are readable and still say what they count; shapes are read as they are written."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.networks import quickly

from dualcost.errors import UsageError
from dualcost.units import (
    SCALES,
    UNIT_NAMES,
    check_unit,
    count,
    memory,
    parse_size,
    percent,
    size,
    speed,
)

# Below 1000 T, where a float still tells neighbouring counts apart.
counts = st.integers(0, 15).flatmap(lambda digits: st.integers(0, 10**digits - 1))
any_sign = counts | counts.map(lambda value: -value)
TEXT = re.compile(r"(-?[\d,]+)(?:\.(\d+))?(?: ([KMGT]))?")


def read_back(text: str) -> tuple[Decimal, Decimal]:
    """The value that a text shows, and half a unit of its last digit."""
    match = TEXT.fullmatch(text)
    assert match, text
    whole, decimals, prefix = match.groups()
    scale = Decimal({"K": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", None: "1"}[prefix])
    value = Decimal(f"{whole.replace(',', '')}.{decimals or '0'}")
    return value * scale, scale * Decimal(10) ** -len(decimals or "") / 2


@quickly
@given(any_sign, st.sampled_from(UNIT_NAMES))
@example(999_950, "auto")
@example(99_995, "auto")
@example(10**15 - 1, "auto")
def test_a_count_read_back_is_within_half_a_unit_of_its_last_digit(value: int, unit: str) -> None:
    shown, half = read_back(count(value, unit))
    assert abs(shown - value) <= half


@quickly
@given(counts)
@example(10_000)
@example(99_999)  # not "100.00 K"
@example(999_950)  # not "1000 K"
@example(9_999_999)
@example(999_949)
@example(999_950_000_000)
def test_an_automatic_prefix_shows_four_digits_and_never_1000(value: int) -> None:
    text = count(value)
    if value < 10_000:
        assert text == str(value)
        return
    number, prefix = text.split()
    assert prefix in "KMGT"
    if value < 999_950 * 10**9:  # what rounds to 1000 T has no larger prefix to take
        assert len(number.replace(".", "")) == 4
        assert 1 <= float(number) < 1000


@quickly
@given(any_sign)
def test_unit_1_shows_every_digit(value: int) -> None:
    assert int(count(value, "1").replace(",", "")) == value


def test_counts_look_like_this() -> None:
    assert count(4_089_184_256) == "4.089 G"
    assert count(4_089_184_256, "1") == "4,089,184,256"
    assert count(4_089_184_256, "M") == "4,089 M"
    assert count(9_999) == "9999"
    assert count(999_950) == "1.000 M"
    assert count(-25_557_032) == "-25.56 M"


BYTES = re.compile(r"([\d,]+)(?:\.(\d+))? (|Ki|Mi|Gi|Ti)B")
# Below 1024 TiB, by the number of their bits.
byte_counts = st.integers(0, 50).flatmap(lambda bits: st.integers(0, 2**bits - 1))


def bytes_read_back(text: str) -> tuple[Decimal, Decimal, str]:
    """The bytes that a text shows, half a unit of its last digit, and its prefix."""
    match = BYTES.fullmatch(text)
    assert match, text
    whole, decimals, prefix = match.groups()
    scale = Decimal(1024) ** ["", "Ki", "Mi", "Gi", "Ti"].index(prefix)
    value = Decimal(f"{whole.replace(',', '')}.{decimals or '0'}")
    return value * scale, scale * Decimal(10) ** -len(decimals or "") / 2, prefix


@quickly
@given(byte_counts)
@example(0)
@example(1023)
@example(1024)
@example(2**20 - 1)  # not "1024 KiB"
@example(1023 * 1024 + 1023)
@example(2**50 - 1)
@example(10 * 2**20 - 1)  # not "10.000 MiB"
@example(100 * 2**20 - 1)
@example(1000 * 2**20 - 1)  # not "1,000.0 MiB"
def test_bytes_read_back_are_within_half_a_unit_of_the_last_digit(nbytes: int) -> None:
    text = memory(nbytes)
    shown, half, prefix = bytes_read_back(text)
    assert abs(shown - nbytes) <= half
    if nbytes < 1024:
        assert text == f"{nbytes} B"
        return
    number = text.split()[0].replace(",", "")
    assert len(number.replace(".", "")) == 4
    if prefix != "Ti":  # it has no larger prefix to give way to
        assert 1 <= float(number) < 1024


@quickly
@given(byte_counts, byte_counts)
def test_more_bytes_never_look_like_fewer(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert bytes_read_back(memory(fewer))[0] <= bytes_read_back(memory(more))[0]


def test_bytes_look_like_this() -> None:
    assert memory(102_228_128) == "97.49 MiB"  # 102,228,128 / 1024 / 1024
    assert memory(11_038_720) == "10.53 MiB"
    assert memory(0) == "0 B"
    assert memory(1023) == "1023 B"
    assert memory(1024) == "1.000 KiB"
    assert memory(1_048_575) == "1.000 MiB"
    assert memory(1000 * 1024) == "1,000 KiB"
    assert memory(3 * 2**40) == "3.000 TiB"
    assert memory(5000 * 2**40) == "5,000 TiB"


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    assert [check_unit(unit) for unit in UNIT_NAMES] == ["auto", *SCALES]
    with pytest.raises(UsageError, match="no unit is called 'k'") as refused:
        check_unit("k")
    assert refused.value.hint == "units: auto, 1, K, M, G, T"


def test_a_percentage_has_one_decimal() -> None:
    assert [percent(share) for share in (0.711, 1, 0, 1.5, 1 / 3)] == [
        "71.1%",
        "100.0%",
        "0.0%",
        "150.0%",
        "33.3%",
    ]


dims = st.lists(st.integers(1, 10**6), min_size=1, max_size=6).map(tuple)


@quickly
@given(dims, st.sampled_from("xX×*"))
def test_a_shape_is_read_as_it_was_written(shape: tuple[int, ...], cross: str) -> None:
    assert parse_size(size(shape)) == shape
    assert parse_size(f" {cross.join(map(str, shape))} ") == shape
    assert parse_size(f"{cross.join(f' {side} ' for side in shape)}") == shape
    assert parse_size(str(shape)) == parse_size(str([*shape])) == shape


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "1x", "x3", "1xx3", "0", "1x0x3", "1x-3", "3.5", "axb", "1,3x4", "(1,3", "²"],
)
def test_what_is_not_a_shape_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shape") as refused:
        parse_size(text)
    assert repr(text) in refused.value.message
    assert "1x3x224x224" in refused.value.hint


@pytest.mark.parametrize(
    ("macs_per_s", "text"),
    [
        (65.3e9, "65 GMACs/s"),
        (2.14e9, "2.1 GMACs/s"),
        (999e6, "1 GMACs/s"),
        (1.2e12, "1.2 TMACs/s"),
    ],
)
def test_a_speed_has_two_digits(macs_per_s: float, text: str) -> None:
    assert speed(macs_per_s) == text
