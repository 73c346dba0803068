"""timm's models by name, against torch's own counter and timm's own configuration."""

from __future__ import annotations

import pytest
import timm
from support.commands import Command
from support.models import counted, numel

from dualcost.errors import ExitCode, UnknownNameError
from dualcost.nn.sources.build import build
from dualcost.nn.sources.sources import find, from_timm


@pytest.mark.parametrize(
    "name",
    [
        "resnet18d",
        "mobilenetv4_conv_small",
        "vit_tiny_patch16_224",
        "convnextv2_atto",
        "efficientformer_l1",
        "mixer_s32_224",
        "ghostnet_050",
    ],
)
def test_a_model_of_timm_costs_what_torch_counts(name: str) -> None:
    source = from_timm(name)
    network = find(f"timm:{name}").trace()
    model = build(source.factory, name)
    known = timm.get_pretrained_cfg(name)
    assert known is not None
    assert [spec.shape for spec in network.inputs] == [(1, *known.input_size)]
    assert network.params == numel(model)
    assert network.macs == counted(model.eval(), *network.inputs, device="meta")
    assert not [op.name for op in network.ops if op.group == "unknown"]
    assert "timm" in network.versions


def test_an_unknown_model_of_timm_is_named_with_what_is_close() -> None:
    with pytest.raises(UnknownNameError) as raised:
        from_timm("resnet18x")
    assert "resnet18" in raised.value.hint


def test_a_model_of_timm_is_profiled_by_name_and_cached(command: Command) -> None:
    code, out, err = command("profile", "timm:ghostnet_050", "--batch", "2", "--depth", "0")
    assert code == ExitCode.OK
    assert "2×3×224×224" in out
    assert "tracing timm:ghostnet_050" in err
    assert command("profile", "timm:ghostnet_050", "--batch", "2", "--depth", "0") == (0, out, "")
    assert "1×3×224×224" in command("profile", "timm:ghostnet_050", "--depth", "0")[1]
