"""A configuration is read whole, or refused with the line of what does not fit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from dualcost.errors import UnknownNameError, UsageError
from dualcost.gate import config
from dualcost.gate.config import Config
from dualcost.gate.limit import ERROR, WARN
from dualcost.rewrite.request import Request

WHOLE = """\
[tool.dualcost]
schema = 1
baseline = "budgets/cost.lock"

[tool.dualcost.models.dual]
target  = "torchvision:resnet50"
rewrite = { conv = "dual", G = 4, but = "path=layer4.*: keep" }
input   = "1x3x224x224"

[tool.dualcost.models.dual.budget]
params           = "19 M"
macs             = { max = "3.0 G", min = "1 G", level = "error", message = "see docs" }
peak-activations = { max = "12 MiB", level = "warn" }
traffic          = { max = "12 MB", level = "off" }
unknown-ops      = 0
reduction.params = { min = "25 %", against = "torchvision:resnet101" }
reduction.macs   = "12.5 %"
latency.cpu      = { max = "120 ms", threads = 2 }

[[tool.dualcost.models.dual.layer]]
match = "layer4.*"
macs  = { max = "600 M" }

[[tool.dualcost.models.dual.layer]]
match = "*.conv2"
sum   = false
params = "1 M"

[tool.dualcost.models.plain]
target = "models.py:make"
inputs = "models.py:inputs"
rules = "rules.py"
convention = "paper"

[tool.dualcost.ratchet]
params = "0 %"
macs   = { max-increase = "1 %", max-increase-abs = "5 M", level = "warn" }
traffic = { max-increase-abs = "1 MiB" }
"""


def read(text: str, folder: Path, name: str = "pyproject.toml") -> Config:
    path = folder / name
    path.write_text(text)
    return config.read(path)


def test_all_that_can_be_said_is_read(tmp_path: Path) -> None:
    found = read(WHOLE, tmp_path)
    dual, plain = found.models
    assert found.baseline == tmp_path / "budgets/cost.lock"
    assert dual.rewrite is not None
    assert (dual.name, dual.target) == ("dual", "torchvision:resnet50")
    assert dual.rewrite.label == "dual G=4"
    assert [str(exemption) for exemption in dual.rewrite.exemptions] == ["path=layer4.*: keep"]
    assert [spec.word for spec in dual.inputs] == ["1x3x224x224"]
    assert {
        limit.metric: (limit.high, limit.low, limit.level, limit.line) for limit in dual.limits
    } == {
        "params": (19_000_000, None, ERROR, 11),
        "macs": (3_000_000_000, 1_000_000_000, ERROR, 12),
        "peak-activations": (12 * 1024 * 1024, None, WARN, 13),
        "unknown-ops": (0, None, ERROR, 15),
        "reduction.params": (None, Fraction(1, 4), ERROR, 16),
        "reduction.macs": (None, Fraction(1, 8), ERROR, 17),
        "latency.cpu": (Fraction(12, 100), None, WARN, 18),
    }
    by_name = {limit.metric: limit for limit in dual.limits}
    assert by_name["macs"].message == "see docs"
    assert by_name["latency.cpu"].threads == 2
    assert dual.references == ("torchvision:resnet101",)
    layers: list[tuple[object, ...]] = [
        (one.match, one.sum, one.limits[0].high) for one in dual.layers
    ]
    assert layers == [
        ("layer4.*", True, 600_000_000),
        ("*.conv2", False, 1_000_000),
    ]
    assert (plain.example, plain.rules, plain.convention) == (
        "models.py:inputs",
        "rules.py",
        "paper",
    )
    assert [(one.metric, one.share, one.absolute, one.level) for one in found.ratchet] == [
        ("params", 0, None, ERROR),
        ("macs", Fraction(1, 100), 5_000_000, WARN),
        ("traffic", None, 1024 * 1024, ERROR),
    ]


def test_si_and_iec_are_kept_apart(tmp_path: Path) -> None:
    text = '[models.a]\ntarget = "alexnet"\n[models.a.budget]\ntraffic = "12 {}"\n'
    limits = [
        read(text.format(unit), tmp_path, "dualcost.toml").models[0].limits[0].high
        for unit in ("MB", "MiB")
    ]
    assert limits == [12_000_000, 12_582_912]


def test_a_file_of_its_own_needs_no_prefix(tmp_path: Path) -> None:
    text = WHOLE.replace("tool.dualcost.", "").replace("[tool.dualcost]\n", "")
    own = read(text, tmp_path, "dualcost.toml")
    assert [one.name for one in own.models] == ["dual", "plain"]
    assert own.models[0].limits[0].line == 10


START = 'target = "alexnet"\n'
BUDGET = f"[models.a]\n{START}[models.a.budget]\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("schema = 2\n[models.a]\n" + START, ":1: schema 2 is not known", "reads schema 1"),
        ("basline = 'x'\n", ":1: no key is called 'basline'", "did you mean baseline?"),
        ("", ":1: no model is configured", "[tool.dualcost.models.NAME]"),
        ("models = 3\n", ":1: models is not a table", ""),
        ("[models.a]\n", ":1: the model a has no target", 'add target = "torchvision:'),
        (f"[models.a]\n{START}trget = 1\n", ":3: no key is called 'trget'", "did you mean target?"),
        ("[models.a]\ntarget = 3\n", ":2: target = 3 is not a text", ""),
        (f"[models.a]\n{START}input = '3xx4'\n", ":3: '3xx4' is not a shape", "1x3x224x224"),
        (f"[models.a]\n{START}input = 3\n", ":3: input is not a text or an array of texts", ""),
        (
            f"[models.a]\n{START}input = '1x3'\ninputs = 'f.py:f'\n",
            ":4: input and inputs cannot be given together",
            "leave one out",
        ),
        (f"[models.a]\n{START}convention = 'fvcor'\n", ":3: no convention", "did you mean fvcore?"),
        (f"[models.a]\n{START}rewrite = {{ conv = 'dul' }}\n", ":3: no kind", "did you mean dual"),
        (f"[models.a]\n{START}rewrite = {{ conv = 'dual' }}\n", ":3: dual needs G", ""),
        (
            f"[models.a]\n{START}rewrite = {{ conv = 'dual', g = 4 }}\n",
            ":3: no key is called 'g'",
            "keys: conv, G, P",
        ),
        (f"[models.a]\n{START}plan = 'none.toml'\n", ":3: cannot read", ""),
        (BUDGET + "parms = '1 M'\n", ":4: no metric is called 'parms'", "did you mean params?"),
        (BUDGET + "reduction.parms = '1 %'\n", ":4: no metric is called 'parms'", "params"),
        (BUDGET + "latency.gpu = '1 ms'\n", ":4: no metric is called 'gpu'", "cpu"),
        (BUDGET + "params = '1 MX'\n", ":4: '1 MX' has the unknown unit MX", "units: K M G"),
        (BUDGET + "params = '12 MiB'\n", ":4: params is a count", "19 M"),
        (BUDGET + "params = true\n", ":4: params = True is not a quantity", "19 M"),
        (BUDGET + "traffic = '12 M'\n", ":4: traffic is in bytes", "12 MiB"),
        (BUDGET + "traffic = 12\n", ":4: traffic = 12 has no unit", "12 MiB"),
        (BUDGET + "latency.cpu = '12'\n", ":4: latency.cpu: '12' is not a time with", "120 ms"),
        (BUDGET + "reduction.macs = '0.5'\n", ":4: '0.5' is not a percentage", "5%"),
        (BUDGET + "params = { mx = 3 }\n", ":4: no key is called 'mx'", "max"),
        (BUDGET + "params = { level = 'warn' }\n", ":4: params has neither max nor min", "max"),
        (BUDGET + "params = { max = 3, level = 'fatal' }\n", ":4: 'fatal' is not a level", "warn"),
        (BUDGET + "params = { max = 3, min = 4 }\n", ":4: params: min is larger than max", ""),
        (BUDGET + "params = { max = 3, threads = 4 }\n", ":4: no key is called 'threads'", ""),
        (BUDGET + "latency.cpu = { max = '1 s', threads = 0 }\n", ":4: 0 threads", "threads = 1"),
        (f"[models.a]\n{START}[[models.a.layer]]\nmacs = 3\n", ":3: it does not say which", "mat"),
        (f"[models.a]\n{START}[[models.a.layer]]\nmatch = 'x'\n", ":3: x has no limit", "params"),
        (
            f"[models.a]\n{START}[[models.a.layer]]\nmatch = 'x'\npeak-activations = '1 B'\n",
            ":5: no key is called 'peak-activations'",
            "traffic",
        ),
        (f"[models.a]\n{START}[models.a.layer]\nmatch = 'x'\n", ":3: layer is not an array", "[["),
        (f"[models.a]\n{START}[ratchet]\nparam = '0 %'\n", ":4: no metric is called 'param'", ""),
        (f"[models.a]\n{START}[ratchet]\nlatency.cpu = '0 %'\n", ":4: a latency of another", ""),
        (f"[models.a]\n{START}[ratchet]\nmacs = {{}}\n", ":4: macs does not say how much", "0 %"),
        (f"[models.a]\n{START}[models.a]\n", ": models.a is there twice (at line 3,", "rename one"),
        ("[models.a\n", "line 1, column", ""),
    ],
    ids=lambda text: text[-40:] if text.startswith(":") else "",
)
def test_what_does_not_fit_is_named_with_its_line(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        read(text, tmp_path, "dualcost.toml")
    assert message in raised.value.message
    assert raised.value.message.startswith(str(tmp_path / "dualcost.toml"))
    assert hint in raised.value.hint


def test_the_nearest_configuration_is_found(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").write_text('[project]\nname = "without budgets"\n')
    (tmp_path / "pyproject.toml").write_text("[tool.dualcost]\nschema = 1\n")
    assert config.find(inner) == tmp_path / "pyproject.toml"
    (tmp_path / "a" / "dualcost.toml").write_text("schema = 1\n")
    assert config.find(inner) == tmp_path / "a" / "dualcost.toml"


def test_without_a_configuration_the_hint_is_init(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        config.find(tmp_path)
    assert "dualcost init" in raised.value.hint


def test_models_are_chosen_by_name(tmp_path: Path) -> None:
    found = read(WHOLE, tmp_path)
    assert [one.name for one in found.only(("plain",)).models] == ["plain"]
    assert found.only(()) == found
    with pytest.raises(UnknownNameError, match="no model is called 'plan'"):
        found.only(("plan",))


@pytest.mark.parametrize("name", ["docs/guide/guard.md", "docs/examples/gate/pyproject.toml"])
def test_what_the_documents_show_is_read(tmp_path: Path, name: str) -> None:
    text = (Path(__file__).parents[2] / name).read_text()
    shown = text.partition("```toml\n")[2].partition("```")[0] or text
    assert "resnet50-dual" in [model.name for model in read(shown, tmp_path).models]


def test_a_plan_says_what_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('schema = 1\nkind = "dual"\nG = 8\n')
    text = '[models.a]\ntarget = "resnet18"\nplan = "plan.toml"\n'
    (model,) = read(text, tmp_path, "dualcost.toml").models
    assert model.rewrite == Request.parse("dual:8")
