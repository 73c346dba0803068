"""A factory in words, and its arguments: what is read, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcost.code.address import Address
from dualcost.errors import ModelError, UsageError

PLACES = st.sampled_from(["unet.py", "deep/unet.py", "nets.vision", "a+b/net.py", "a:b.py"])
NAMES = st.sampled_from(["UNet", "Family.small", "_private"])
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, width=16),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
).filter(lambda value: "inf" not in repr(value))  # which is a name, and no literal


@given(
    PLACES,
    NAMES,
    st.lists(LITERALS, max_size=3),
    st.dictionaries(st.sampled_from(["base", "out"]), LITERALS),
)
def test_arguments_are_what_python_would_pass(
    place: str, name: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    words = [*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())]
    text = f"{place}:{name}({', '.join(words)})"
    address = Address.parse(text)
    assert (address.place, address.name) == (place, name)
    assert (list(address.args), address.kwargs) == (args, kwargs)
    assert str(address) == text


@given(PLACES, NAMES)
def test_a_factory_may_stand_without_arguments(place: str, name: str) -> None:
    assert Address.parse(f"{place}:{name}") == Address(place, name, "", (), {})
    assert Address.parse(f"{place}:{name}").in_file == place.endswith(".py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("net.py:Net(base=int(3))", "int(3) is not a literal"),
        ("net.py:Net(width)", "width is not a literal"),
        ("net.py:Net(*[1, 2])", "*[1, 2] is not a literal"),
        ("net.py:Net(**{'a': 1})", "**{'a': 1} is not a literal"),
        ("net.py:Net(__import__('os').getcwd())", "__import__('os').getcwd() is not a literal"),
        ("net.py:Net(1)(2)", "(1)(2) is not a list of arguments"),
        ("net.py:Net(base=)", "(base=) is not a list of arguments"),
        ("net.py:Net(", "'net.py:Net(' names no factory"),
        ("net.py:", "'net.py:' names no factory"),
        ("net.py:3", "'net.py:3' names no factory"),
    ],
)
def test_what_is_no_literal_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert caught.value.message == message
    assert caught.value.hint


def net(channels: int, base: int = 32, *, out: int = 2) -> None: ...


@pytest.mark.parametrize("arguments", ["(3)", "(channels=3)", "(3, 16, out=1)", "(3, base=4)"])
def test_arguments_that_fit_pass(arguments: str) -> None:
    Address.parse(f"net.py:net{arguments}").check(net)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("(3, bse=16)", "cannot be called so: got an unexpected keyword argument 'bse'"),
        ("(3, 16, 2)", "cannot be called so: too many positional arguments"),
        ("", "cannot be called without arguments: missing a required argument: 'channels'"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_signature(arguments: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Address.parse(f"net.py:net{arguments}").check(net)
    assert caught.value.message == f"net.py:net{arguments} {message}"
    assert caught.value.hint.endswith("its signature is net(channels, base=32, *, out=2)")
    assert ("write 'net.py:net(channels=…)'" in caught.value.hint) == (not arguments)
