"""A metric is added in a copy of the package, in the files that CONTRIBUTING.md names."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.commands import in_a_process

from dualcost.library import networks as library

ROOT = Path(__file__).parents[2]
# how many ops run: each file with what stands there, and what stands there then
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "dualcost/network/cost.py": (
        ("    activation_bytes: int = 0\n", "    activation_bytes: int = 0\n    calls: int = 0\n"),
        (
            "            self.activation_bytes + other.activation_bytes,\n",
            "            self.activation_bytes + other.activation_bytes,\n"
            "            self.calls + other.calls,\n",
        ),
    ),
    "dualcost/costs/profile.py": (
        (
            "            activation_bytes=op.allocated,\n",
            "            activation_bytes=op.allocated,\n            calls=1,\n",
        ),
        (
            "            activation_bytes=op.allocated + scratch * op.itemsize,\n",
            "            activation_bytes=op.allocated + scratch * op.itemsize,\n"
            "            calls=2,\n",
        ),
    ),
    "dualcost/costs/metrics.py": (
        (
            '        Metric(\n            name="trainable-params",\n',
            '        Metric(\n            name="calls",\n            key="calls",\n'
            '            title="calls",\n            label="calls",\n'
            '            about="how many ops run",\n            aliases=("ops",),\n        ),\n'
            '        Metric(\n            name="trainable-params",\n',
        ),
    ),
    "dualcost/render/profile/profile.schema.json": (
        ('"traffic_after", "int', '"traffic_after", "calls_before", "calls_after", "int'),
        ('"activation_bytes", "traffic"]', '"activation_bytes", "traffic", "calls"]'),
        (
            '          "traffic_after": {"$ref": "#/$defs/count"},\n',
            '          "traffic_after": {"$ref": "#/$defs/count"},\n'
            '          "calls_before": {"$ref": "#/$defs/count"},\n'
            '          "calls_after": {"$ref": "#/$defs/count"},\n',
        ),
        (
            '        "traffic": {"$ref": "#/$defs/count", "desc',
            '        "calls": {"$ref": "#/$defs/count"},\n'
            '        "traffic": {"$ref": "#/$defs/count", "desc',
        ),
    ),
}
# runs commands, one after the other, and prints what each printed
RUN = """
import contextlib, io, json, sys
from dualcost.cli import run
from dualcost.cli import candidates
said = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    said.append([int(code or 0), out.getvalue(), err.getvalue()])
places = ("sorts", "differences", "compared", "axes", "metrics")
offered = {place: [name for name, _ in getattr(candidates, place)("")] for place in places}
json.dump({"said": said, "offered": offered}, sys.stdout)
"""
BUDGETS = """
[models.small]
target = "resnet18"
rewrite = { conv = "dual", G = 4 }
[models.small.budget]
ops = 100
reduction.calls = { max = "0 %" }
[[models.small.layer]]
match = "layer4.*"
calls = 10
"""
PLAIN = len(library.load("resnet18").ops)
REPLACED = 16  # its 3×3 convolutions


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "dualcost", folder / "dualcost", ignore=ignored)
    for name, changes in CHANGES.items():
        path = folder / name
        text = path.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text, f"{name} has no {before!r}"
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    (folder / "dualcost.toml").write_text(BUDGETS)
    return folder


def said_by(folder: Path, *commands: str) -> dict[str, Any]:
    words = json.dumps([command.split("|") for command in commands])
    done = in_a_process("-P", "-c", RUN, words, PYTHONPATH=str(folder), COLUMNS="100", NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_metric_takes_four_files_and_is_then_everywhere(copy: Path) -> None:
    assert len(CHANGES) == 4
    config = f"{copy}/dualcost.toml"
    commands = (
        "profile|resnet18|--conv|dual|--G|4|--format|json",
        "profile|resnet18|--depth|1|--sort|calls|--format|csv",
        "solve|resnet18|calls <= 100|--conv|dual|--json",
        "fit|resnet18|--budget|calls=75|--budget|params=11.6M|--json",
        f"check|--config|{config}|--output|json",
        f"lock|--config|{config}",
        "sweep|resnet18|--conv|dual|--G|2|--csv|--pareto|--x|ops|--y|macs",
        "compare|resnet18|resnet18+dual:G=4|--by|calls|--sort|ops|--json",
        "solve|--help",
        "sweep|resnet18|--x|call",
    )
    found = said_by(copy, *commands)
    (profile, table, solve, fit, check, lock, sweep, compare, usage, unknown) = found["said"]

    document = json.loads(profile[1])
    schema = (copy / "dualcost/render/profile/profile.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(document, json.loads(schema))
    after = PLAIN + REPLACED  # a convolution that is replaced runs as two
    total = document["total"]
    assert (total["before"]["calls"], total["after"]["calls"]) == (PLAIN, after)
    assert sum(row["calls_after"] for row in document["rows"]) == after
    calls = [int(row["calls_after"]) for row in csv.DictReader(io.StringIO(table[1]))]
    assert calls == sorted(calls, reverse=True)
    assert (len(set(calls)) > 1, sum(calls)) == (True, PLAIN)

    (reading,) = json.loads(solve[1])["point"]["readings"]
    assert (reading["metric"], reading["value"], reading["limit"]) == ("calls", after, 100)
    assert fit[0] == 0
    assert json.loads(fit[1])["budgets"][0]["value"] <= 75
    assert "calls" in json.loads(fit[1])["total"]["after"]

    report = json.loads(check[1])
    verdicts = {(one["metric"], one["layers"]): one for one in report["models"][0]["verdicts"]}
    assert verdicts["calls", None]["now"] == report["models"][0]["snapshot"]["metrics"]["calls"]
    assert verdicts["reduction.calls", None]["status"] == "ok"  # more of them: nothing is saved
    assert verdicts["calls", "layer4.*"]["status"] == "fail"
    assert lock[0] == 0
    assert f"\ncalls = {after}\n" in (copy / "dualcost.lock").read_text(encoding="utf-8")

    head, *rows = sweep[1].splitlines()
    column = head.split(",").index("calls")
    assert {int(row.split(",")[column]) for row in rows} <= {PLAIN, after}
    compared = json.loads(compare[1])
    assert compared["total"]["calls"] == [PLAIN, after]
    assert all("calls" in line for line in compared["lines"])

    assert re.search(r"\bcalls\b", usage[1])
    assert "did you mean calls?" in unknown[2]
    assert all("calls" in words for words in found["offered"].values())


def test_without_its_record_it_is_nowhere() -> None:
    said = said_by(ROOT, "solve|resnet18|calls <= 100|--conv|dual")["said"]
    assert said[0][0] == 2
    assert "no metric is called 'calls'" in said[0][2]
