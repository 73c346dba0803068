"""A check without a configuration file: its limits are said, and it ends as one with a file."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Command
from support.schemas import SCHEMA

from dualcost.costs.metrics import KEPT
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode, UnknownNameError, UsageError
from dualcost.gate import baseline as before
from dualcost.gate import check as inspection
from dualcost.gate import config as configuration
from dualcost.gate.check import Report
from dualcost.gate.config import Model
from dualcost.gate.limit import ERROR, Allowance, Limit
from dualcost.gate.terms import stated
from dualcost.library import networks as library
from dualcost.network.network import TensorSpec
from dualcost.render.check import FORMS, written
from dualcost.rewrite.subject import Subject

pytestmark = pytest.mark.usefixtures("warm_python", "command")

DUAL = Subject.parse("resnet18+dual:G=4")


def checked(
    *limits: str, growth: tuple[str, ...] = (), baseline: str = "", subject: Subject = DUAL
) -> Report:
    asked = stated([subject], limits, growth, baseline)
    return inspection.check(asked, before.read(asked, baseline))


def cost(subject: Subject = DUAL) -> tuple[int, int]:
    """MACs and parameters, as a profile has them."""
    found = profile(library.load(subject.model), subject.request).after
    return found.macs, found.params


def test_limits_are_held_to_the_element() -> None:
    macs, params = cost()
    assert checked(f"macs={macs}", f"params <= {params}").exit_code == ExitCode.OK
    report = checked(f"macs={macs - 1}", f"params={params}")
    assert report.exit_code == ExitCode.FAILED
    assert [(one.metric, one.now) for one in report.failed] == [("macs", macs)]


def test_what_is_saved_is_a_minimum() -> None:
    (before_, _), (after, _) = cost(Subject("resnet18")), cost()
    saved = 100 * (1 - after / before_)
    assert checked(f"reduction.macs >= {saved - 0.01:.4f} %").exit_code == ExitCode.OK
    assert checked(f"reduction.macs={saved + 0.01:.4f}%").exit_code == ExitCode.FAILED


@given(st.sampled_from(list(KEPT)), st.integers(1, 10**15), st.sampled_from(["=", "<=", " <= "]))
def test_a_limit_is_read_exactly(metric: str, value: int, sign: str) -> None:
    unit = "B" if "bytes" in metric or metric in ("traffic", "peak-activations") else ""
    limit = Limit.parse(f"{metric}{sign}{value}{unit}")
    assert limit == Limit(metric, Fraction(value), None, ERROR, "", "", 1, 0)


@given(st.fractions(), st.none() | st.fractions(), st.integers(1, 64))
def test_a_limit_reaches_another_process_exactly(
    high: Fraction, low: Fraction | None, threads: int
) -> None:
    limit = Limit("latency.cpu", high, low, ERROR, "why", "resnet18", threads, 3)
    assert Limit.from_json(json.loads(json.dumps(limit.to_json()))) == limit


def test_a_model_reaches_another_process_whole(tmp_path: Path) -> None:
    path = tmp_path / "dualcost.toml"
    path.write_text(
        '[models.a]\ntarget = "net.py:Net(3)"\ninput = ["x=1x3:int64", "1x4"]\n'
        'rewrite = { conv = "dual", G = 4, but = ["M<=32: G=8"], bias = "drop" }\n'
        '[models.a.budget]\nreduction.macs = { min = "25 %", against = "resnet18" }\n'
    )
    (model,) = configuration.read(path).models
    again = Model.from_json(json.loads(json.dumps(model.to_json())))
    assert again == replace(model, line=0)


@pytest.mark.parametrize(
    ("text", "share", "absolute"),
    [
        ("macs=1%", Fraction(1, 100), None),
        ("macs <= 0.5 %", Fraction(5, 1000), None),
        ("macs=0", Fraction(0), None),
        ("macs=5M", None, Fraction(5_000_000)),
        ("traffic=1KiB", None, Fraction(1024)),
    ],
)
def test_growth_is_a_share_or_a_number(
    text: str, share: Fraction | None, absolute: Fraction | None
) -> None:
    metric = text.partition("=")[0].rstrip(" <")
    assert Allowance.parse(text) == Allowance(metric, share, absolute, ERROR, "", 0)


@pytest.mark.parametrize(
    ("limits", "growth", "message"),
    [
        ((), (), "there is no limit"),
        (("macs",), (), "'macs' is not a limit"),
        (("macs=",), (), "'macs=' is not a limit"),
        (("macs>=3G",), (), "of macs less is better"),
        (("reduction.macs<=3%",), (), "of reduction.macs more is better"),
        (("mcas=3G",), (), "no metric is called 'mcas'"),
        (("macs=3MiB",), (), "macs is a count"),
        (("macs=3G",), ("macs=1%",), "macs=1% limits growth, and nothing says since when"),
        ((), ("macs>=1%",), "does not say how much may grow"),
        ((), ("latency.cpu=1%",), "no metric is called 'latency.cpu'"),
    ],
)
def test_terms_that_do_not_fit_are_refused_before_any_work(
    limits: tuple[str, ...], growth: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        stated([DUAL], limits, growth)
    assert message in caught.value.message
    assert caught.value.hint


def test_a_misspelt_model_is_refused_before_any_work() -> None:
    with pytest.raises(UnknownNameError, match="resnet81"):
        stated([Subject("resnet81")], ["macs=3G"])


def test_nothing_is_compared_unless_it_is_said() -> None:
    Path("dualcost.lock").write_text("not a lock file")
    assert checked("macs=9G").baseline == ""
    with pytest.raises(UsageError, match="--frozen"):
        inspection.check(stated([DUAL], ["macs=9G"]), None, frozen=True)


def report_of(subject: Subject) -> str:
    path = Path("cost.json")
    path.write_text(written(checked("macs=99G", subject=subject), "json"))
    return str(path)


def test_growth_is_measured_against_a_report() -> None:
    path = report_of(DUAL)
    report = checked(growth=("macs=0", "params=1%"), baseline=path)
    assert (report.exit_code, len(report.verdicts)) == (ExitCode.OK, 2)
    document = json.loads(Path(path).read_text())
    document["models"][0]["snapshot"]["metrics"]["macs"] -= 1
    Path(path).write_text(json.dumps(document))
    report = checked(growth=("macs=0",), baseline=path)
    assert [(one.metric, one.difference) for one in report.failed] == [("macs", 1)]
    assert checked(growth=("macs=1",), baseline=path).exit_code == ExitCode.OK


def test_a_model_that_the_baseline_does_not_know_cannot_be_judged() -> None:
    path = report_of(Subject("resnet18"))
    report = checked(growth=("macs=1%",), baseline=path)
    assert report.exit_code == ExitCode.UNMEASURED
    (error,) = (one.error for one in report.models)
    assert error is not None
    assert (error.message, error.hint) == (
        "cost.json does not know resnet18-dual, and its growth is limited",
        "it knows resnet18",
    )
    assert checked("macs=99G", baseline=path).exit_code == ExitCode.OK


def test_a_lock_file_knows_a_model_by_what_it_is(command: Command) -> None:
    Path("dualcost.toml").write_text(
        '[models.ours]\ntarget = "resnet18"\nrewrite = "dual:G=4"\nbudget = { macs = "9 G" }\n'
    )
    assert command("lock")[0] == ExitCode.OK
    report = checked(growth=("macs=0",), baseline="dualcost.lock")
    assert (report.exit_code, len(report.verdicts)) == (ExitCode.OK, 1)


MODEL = """
from torch import nn
INPUT = "1x3x8x8"
def make(width=4):
    return nn.Conv2d(3, width, 3)
"""


def git(*words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


def test_growth_is_measured_against_a_revision_by_its_own_code() -> None:
    git("init", "--quiet")
    folder = Path("deep")
    folder.mkdir()
    (folder / "net.py").write_text(MODEL)
    git("add", "--all")
    git("commit", "--quiet", "--message", "small")
    (folder / "net.py").write_text(MODEL.replace("width=4", "width=5"))
    report = checked(
        growth=("macs=30%", "params=24%"), baseline="git:HEAD", subject=Subject("deep/net.py:make")
    )
    # 6*6 positions of 3*3*3 → width; a bias for each of them
    was, now = 36 * 27 * 4, 36 * 27 * 5
    found = {one.metric: (one.base, one.now, one.passed) for one in report.verdicts}
    assert found == {"macs": (was, now, True), "params": (28 * 4, 28 * 5, False)}


def test_a_model_of_a_file_is_traced_in_a_process_with_its_words() -> None:
    Path("net.py").write_text(MODEL)
    asked = stated(
        [Subject("net.py:make(width=6)")], ["macs=1M"], inputs=[TensorSpec((2, 3, 9, 9))]
    )
    report = inspection.check(asked, None)
    assert [one.now for one in report.verdicts] == [2 * 7 * 7 * 27 * 6]
    assert [one.model.name for one in report.models] == ["make-width-6"]


def test_one_that_does_not_run_does_not_hide_the_others() -> None:
    asked = stated([Subject("gone.py:make"), DUAL], ["macs=99G"])
    report = inspection.check(asked, None)
    assert report.exit_code == ExitCode.UNMEASURED
    gone, fine = report.models
    assert gone.error is not None
    assert gone.error.message == "make: there is no file gone.py"
    assert [one.passed for one in fine.verdicts] == [True]


def form(name: str) -> str:
    """A check that fails by its MACs alone."""
    return written(checked("macs=1M", "params=99M"), name)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_says_what_failed_and_names_no_file(name: str) -> None:
    text = form(name)
    assert "macs" in text
    assert not {"None", ".toml", "file="} & {*text.replace('"', " ").split()}


def test_the_text_says_where_the_limits_are_from() -> None:
    assert form("text").startswith("the limits of this command\n")


def test_the_json_fits_its_schema() -> None:
    document = json.loads(form("json"))
    jsonschema.validate(document, SCHEMA)
    assert (document["config"], document["exit_code"]) == ("", ExitCode.FAILED)


def test_code_hosts_are_told_no_line_of_a_file() -> None:
    (result,) = json.loads(form("sarif"))["runs"][0]["results"]
    assert result["locations"] == []
    (issue,) = json.loads(form("gitlab"))
    assert issue["location"] == {"path": ".", "lines": {"begin": 1}}
    assert form("github").startswith("::error title=")
    found = ElementTree.fromstring(form("junit"))
    assert (found.get("tests"), found.get("failures")) == ("2", "1")
    assert [case.get("file") for case in found.iter("testcase")] == [None, None]
