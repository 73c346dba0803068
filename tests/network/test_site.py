"""Traced facts check themselves at birth, and add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.networks import conv, linear, network, plain, site

from dualcost.errors import UsageError
from dualcost.network.network import FREE, GROUPS, Op, TensorSpec


@pytest.mark.parametrize(
    ("M", "N", "groups", "message"),
    [
        (24, 32, 16, "M=24 is not divisible by groups=16"),
        (32, 24, 16, "N=24 is not divisible by groups=16"),
        (0, 32, 1, "M=0 is not divisible by groups=1"),
        (32, 0, 1, "N=0 is not divisible by groups=1"),
    ],
)
def test_a_site_whose_groups_do_not_divide_its_channels_is_refused(
    M: int, N: int, groups: int, message: str
) -> None:
    with pytest.raises(ValueError) as refused:
        replace(site(32, 32), M=M, N=N, groups=groups)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", ["kernel", "stride", "in_size", "out_size"])
def test_a_site_of_several_dimensions_at_once_is_refused(name: str) -> None:
    flat: dict[str, Any] = {name: (3,)}
    with pytest.raises(ValueError) as refused:
        replace(site(1, 1), **flat)
    dims = {"kernel": 2, "stride": 2, "in_size": 2, "out_size": 2} | {name: 1}
    assert str(refused.value) == f"sizes of one convolution differ in their dimensions: {dims}"


def test_an_op_of_no_known_group_or_with_other_macs_than_its_site_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        plain("relu", "magic", (1, 8), -1, path="a")
    assert str(refused.value) == f"a: 'magic' is not one of {GROUPS}"
    at = site(3, 8)  # 8×8 maps
    with pytest.raises(ValueError) as refused:
        replace(conv("a", at), macs=1)
    assert str(refused.value) == f"a: 1 MACs, but its site has {8 * 8 * 3 * 3 * 3 * 8}"


def test_an_op_moves_its_inputs_its_parameters_and_its_outputs_and_a_free_one_nothing() -> None:
    moved = plain("cat", FREE, (1, 8, 8, 8), 0)
    half = replace(conv("b", site(8, 16, 1, bias=True), 1), itemsize=2)
    net = network(conv("a", site(3, 8)), moved, half)
    assert [net.traffic(op) for op in net.ops] == [
        4 * (3 * 8 * 8 + 8 * 3 * 3 * 3 + 8 * 8 * 8),
        0,
        2 * (8 * 8 * 8 + 16 * 8 + 16 + 16 * 8 * 8),
    ]


def test_a_parameter_is_read_by_its_users_in_order_and_may_have_none() -> None:
    shared = conv("b", site(8, 8), 0, weight="a")
    unused = network(linear("aux", 3, 5, -1)).parameters
    net = network(conv("a", site(8, 8)), shared, linear("head", 8, 5, 1), never_run=unused)
    assert net.users == {
        "a.weight": (0, 1),
        "head.weight": (2,),
        "head.bias": (2,),
        "aux.weight": (),
        "aux.bias": (),
    }
    assert net.params == 8 * 8 * 3 * 3 + (8 + 1) * 5 + (3 + 1) * 5


def test_channels_are_those_of_a_convolution_or_of_a_linear_layer() -> None:
    relu: Op = plain("relu", "activation", (1, 8), -1)
    found = [op.channels for op in (conv("a", site(3, 8)), linear("b", 8, 5, -1), relu)]
    assert found == [(3, 8), (8, 5), (None, None)]


@pytest.mark.parametrize(
    ("text", "spec", "shown", "nbytes"),
    [
        ("1x3x8x8", TensorSpec((1, 3, 8, 8)), "1×3×8×8", 3 * 8 * 8 * 4),
        ("ids=1x77:int64", TensorSpec((1, 77), "int64", "ids"), "ids=1×77 int64", 77 * 8),
        ("mask=5:bool", TensorSpec((5,), "bool", "mask"), "mask=5 bool", 5),
        ("2x3:float16", TensorSpec((2, 3), "float16"), "2×3 float16", 2 * 3 * 2),
    ],
)
def test_an_input_reads_as_it_is_written(
    text: str, spec: TensorSpec, shown: str, nbytes: int
) -> None:
    assert TensorSpec.parse(text) == spec
    assert (spec.word, str(spec)) == (text, shown)
    assert spec.nbytes == nbytes


def test_a_shape_that_is_none_or_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        TensorSpec.parse("2nd=1x77")
    assert refused.value.message == "'2nd' is not the name of an argument"
    assert refused.value.hint == "write name=1x77:int64, or leave name= out"
    for text, shape in (("1x", "1x"), ("a=b=1x3", "b=1x3")):
        with pytest.raises(UsageError, match=f"'{shape}'"):
            TensorSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1,3,8,8", TensorSpec((1, 3, 8, 8))),
        ("(1, 3, 8, 8):float16", TensorSpec((1, 3, 8, 8), "float16")),
        ("x:1×3×8×8", TensorSpec((1, 3, 8, 8), name="x")),
        ("x:[1, 3, 8, 8]:float16", TensorSpec((1, 3, 8, 8), "float16", "x")),
        (" ids = 1 x 77 : int64 ", TensorSpec((1, 77), "int64", "ids")),
        ("(5,)", TensorSpec((5,))),
    ],
)
def test_an_input_reads_in_the_forms_that_other_tools_write(text: str, spec: TensorSpec) -> None:
    assert TensorSpec.parse(text) == spec


@pytest.mark.parametrize(
    ("given", "known", "whole"),
    [
        ((3, 32, 40), (1, 3, 224, 224), (1, 3, 32, 40)),
        ((1, 77, 768), (1, 3, 224, 224), (1, 77, 768)),  # a sequence beside an image
        ((1, 3, 8), (1, 3, 8), (1, 3, 8)),
        ((1, 3, 32, 32), (1, 3, 224, 224), (1, 3, 32, 32)),
        ((3, 16, 16), (1, 3, 8, 16, 16), (3, 16, 16)),  # a clip is known
        ((32, 32), (1, 3, 224, 224), (32, 32)),
    ],
)
def test_a_batch_of_one_is_added_to_an_image_where_images_are_known(
    given: tuple[int, ...], known: tuple[int, ...], whole: tuple[int, ...]
) -> None:
    assert TensorSpec(given, "float16", "x").batched(TensorSpec(known)) == TensorSpec(
        whole, "float16", "x"
    )
