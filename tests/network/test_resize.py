"""Another batch, and other images, for the inputs of a network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcost.errors import UsageError
from dualcost.network.network import TensorSpec
from dualcost.network.resize import Resize, sides

numbers = st.integers(1, 4096)


@given(numbers, numbers)
def test_sides_are_read_in_every_form(height: int, width: int) -> None:
    for joined in ("{}x{}", "{},{}", "{} × {}", "({}, {})"):
        assert sides(joined.format(height, width)) == (height, width)
    assert sides((height, width)) == (height, width)
    assert sides(height) == sides(str(height)) == (height, height)


@pytest.mark.parametrize("wrong", ["", "x", "0", "3x", "-3", "3x4x5", "a", 0])
def test_what_is_no_size_of_an_image_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        sides(wrong)


@given(st.lists(numbers, min_size=1, max_size=6).map(tuple), numbers, numbers, numbers)
def test_batch_and_sides_take_the_places_of_the_first_and_the_last_numbers(
    shape: tuple[int, ...], batch: int, height: int, width: int
) -> None:
    spec = TensorSpec(shape)
    assert Resize().of([spec]) == (spec,) and not Resize()
    assert Resize(batch).of([spec])[0].shape == (batch, *shape[1:])
    resize = Resize(batch, (height, width))
    if len(shape) < 4:
        with pytest.raises(UsageError, match="is an image"):
            resize.of([spec])
    else:
        assert resize.of([spec])[0].shape == (batch, *shape[1:-2], height, width)


def test_only_images_are_resized() -> None:
    image, ids = TensorSpec((1, 3, 8, 8)), TensorSpec((1, 1, 8, 8), "int64")
    assert Resize(None, (4, 5)).of([image, ids]) == (TensorSpec((1, 3, 4, 5)), ids)
