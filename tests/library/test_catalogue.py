"""A network is found however its name is written, and what none is called is refused at once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.imports import heavy_imports_of, running
from support.networks import quickly

from dualcost.errors import UnknownNameError
from dualcost.library import networks as library
from dualcost.library.catalogue import ORIGINS, names, registered, resolve
from dualcost.network.network import TensorSpec
from dualcost.nn.sources.sources import torchvision_names
from dualcost.spelling import plain

PACKAGED = [(origin, name) for origin in ORIGINS for name in names(origin)]


@quickly
@given(st.sampled_from(PACKAGED), st.data())
def test_a_packaged_name_is_found_in_any_case_with_either_dash(
    known: tuple[str, str], data: st.DataObject
) -> None:
    origin, name = known
    dash, upper = data.draw(st.sampled_from("-_")), data.draw(st.booleans())
    spelt = name.replace("-", "_").replace("_", dash)
    spelt = spelt.upper() if upper else spelt.title()
    assert resolve(spelt) == resolve(f"{origin}:{spelt}") == resolve(f"{origin}/{spelt}") == known
    if not plain(name).endswith(("16gf", "32gf")):  # 16 or 1_6
        assert resolve(plain(name)) == known


def test_no_two_origins_have_a_name_that_differs_by_its_spelling_alone() -> None:
    assert not {*map(plain, names("zoo"))} & {*map(plain, registered("torchvision"))}
    alike = Counter(map(plain, registered("torchvision")))
    assert {word for word, many in alike.items() if many > 1} == {
        f"regnet{axis}{width}gf" for axis in "xy" for width in (16, 32)
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ResNet-50", ("torchvision", "resnet50")),
        ("torchvision.models.resnet50", ("torchvision", "resnet50")),
        ("torchvision.models.resnet.resnet50", ("torchvision", "resnet50")),
        ("torchvision.models.video.r3d_18", ("torchvision", "r3d_18")),
        ("timm/resnet50", ("timm", "resnet50")),
        ("timm:RegNetX-016", ("timm", "regnetx_016")),
        ("hf-hub:timm/resnet50.a1_in1k", ("timm", "resnet50.a1_in1k")),
        ("hf_hub:timm/ResNet50.a1_in1k", ("timm", "resnet50.a1_in1k")),
        ("resnet50.a1_in1k", ("timm", "resnet50.a1_in1k")),
        # a user's code, and files
        ("torchvision.models:resnet50", ("", "torchvision.models:resnet50")),
        ("timm/net.py:make", ("", "timm/net.py:make")),
        ("timm/net.pt2", ("", "timm/net.pt2")),
        ("here/net.py:make", ("", "here/net.py:make")),
    ],
)
def test_a_name_is_found_in_every_form(text: str, found: tuple[str, str]) -> None:
    assert resolve(text) == found


def test_what_is_read_from_the_code_of_a_library_is_what_it_registers() -> None:
    timm = pytest.importorskip("timm")
    assert registered("torchvision") == torchvision_names()
    assert set(registered("timm")) == set(timm.list_models())
    assert registered("zoo") == registered("os") == ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("resnt50", "no model is called 'resnt50'", "did you mean resnet50"),
        ("torchvision:resnt50", "no model of torchvision is called 'resnt50'", "resnet50"),
        ("timm/resnt50", "no model of timm is called 'resnt50'", "resnet50"),
        ("convnext-atto", "no model is called 'convnext-atto'", "write timm:convnext-atto"),
        ("zoo:vgg16", "no network of the zoo is called 'vgg16'", "vgg16-cifar10"),
        ("torchvision.models.quantization.resnet50", "no model is called", "dualcost list"),
    ],
)
def test_what_none_is_called_is_refused_with_what_is_close(
    text: str, message: str, hint: str
) -> None:
    with pytest.raises(UnknownNameError) as refused:
        resolve(text)
    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize("word", ["resnt50", "torchvision:resnt50", "timm/resnt50", "zoo:vgg16"])
def test_a_misspelt_name_wakes_no_library(word: str) -> None:
    assert heavy_imports_of(running(f"profile {word}")) == (2, "[]")


def test_an_image_without_a_batch_gets_one_and_it_is_said() -> None:
    said: list[str] = []
    found = library.load("ResNet18", (TensorSpec((3, 224, 224)),), announce=said.append)
    assert found == library.load("resnet18")
    assert said == ["a batch of 1 is added to 3×224×224: 1×3×224×224"]
