"""`dualcost check` and `lock` as a repository meets them: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Barrier
from typing import Any

import jsonschema
import pytest
from support.commands import Command
from support.imports import heavy_imports_of, running

import dualcost
from dualcost.costs.profile import profile
from dualcost.errors import ExitCode
from dualcost.gate import appraisal, survey
from dualcost.gate.appraisal import Appraisal
from dualcost.gate.config import read
from dualcost.library import networks as library
from dualcost.rewrite.request import Request

pytestmark = pytest.mark.usefixtures("warm_python")

CONFIG = """\
[models.res]
target = "resnet18"
rewrite = { conv = "dual", G = 4 }

[models.res.budget]
params = "5 M"
reduction.macs = { min = "30 %", level = "warn" }

[[models.res.layer]]
match = "layer4.*"
macs = { max = "250 M" }

[models.alex]
target = "torchvision:alexnet"

[models.alex.budget]
traffic = "1 GiB"

[ratchet]
params = "0 %"
macs = { max-increase = "1 %", max-increase-abs = "5 M" }
"""


@pytest.fixture
def config(command: Command) -> Path:
    """The configuration, in the folder of the command."""
    path = Path("dualcost.toml")
    path.write_text(CONFIG)
    return path


def locked(command: Command) -> None:
    assert command("lock")[0] == ExitCode.OK


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def as_json(command: Command, *words: str) -> tuple[int, Any]:
    code, out, _ = command("check", "--output", "json", *words)
    return code, json.loads(out)


def test_what_is_measured_is_what_profile_says(config: Path, command: Command) -> None:
    locked(command)
    code, found = as_json(command)
    assert code == ExitCode.OK
    after = profile(library.load("resnet18"), Request.parse("dual", 4)).after
    metrics = found["models"][0]["snapshot"]["metrics"]
    assert (metrics["macs"], metrics["params"]) == (after.macs, after.params)
    layers = found["models"][0]["snapshot"]["layers"]
    for metric in ("macs", "params", "traffic", "weight_bytes"):
        assert sum(layer[metric] for layer in layers) == getattr(after, metric)


def test_all_passes_against_its_own_lock(config: Path, command: Command) -> None:
    locked(command)
    code, out, err = command("check", "--frozen")
    assert (code, err) == (ExitCode.OK, "")
    assert out.endswith("8 limits of 2 models: all passed\n")
    assert max(map(len, out.splitlines())) <= 80


def test_a_wider_rewrite_fails_by_name_and_number(config: Path, command: Command) -> None:
    locked(command)
    change(config, "G = 4", "G = 2")
    code, found = as_json(command, "res")
    assert code == ExitCode.FAILED
    status = {
        (one["kind"], one["metric"]): (one["status"], one["line"])
        for one in found["models"][0]["verdicts"]
    }
    assert status == {
        ("budget", "params"): ("fail", 6),
        ("budget", "reduction.macs"): ("ok", 7),
        ("budget", "macs"): ("fail", 11),
        ("ratchet", "params"): ("fail", 20),
        ("ratchet", "macs"): ("fail", 21),
    }
    params = found["models"][0]["verdicts"][0]
    assert params["difference"] == params["now"] - params["base"] > 0
    assert params["culprits"][0]["path"].startswith("layer4.")
    assert "res: params" in command("check", "--output", "github")[1].replace("%3A", ":")


def test_a_warning_is_said_and_passes(config: Path, command: Command) -> None:
    change(config, '"30 %"', '"90 %"')
    locked(command)
    code, out, _ = command("check")
    assert code == ExitCode.OK
    assert "warn: reduction.macs is" in out
    assert "1 warned" in out


def test_several_forms_are_written_at_once(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(command)
    change(config, "5 M", "4 M")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("of another step\n")
    forms = ["text", "github", "json=a.json", "junit=a.xml", "gitlab=b.json", "sarif=c.sarif"]
    words = [word for form in forms for word in ("--output", form)]
    code, out, _ = command("check", *words, "--output", "markdown=a.md")
    assert code == ExitCode.FAILED
    assert "FAIL: params" in out
    assert "::error file=dualcost.toml,line=6," in out
    assert Path("summary.md").read_text() == "of another step\n" + Path("a.md").read_text()
    for name in ("a.json", "b.json", "c.sarif"):
        json.loads(Path(name).read_text())


def test_a_report_is_a_baseline_too(config: Path, command: Command) -> None:
    locked(command)
    assert command("check", "--output", "json=before.json")[0] == ExitCode.OK
    change(config, "G = 4", "G = 8")
    code, found = as_json(command, "--baseline", "before.json", "res")
    assert (code, found["baseline"]) == (ExitCode.OK, "before.json")
    verdicts = {one["metric"]: one for one in found["models"][0]["verdicts"]}
    assert verdicts["params"]["difference"] < 0
    assert "lock --tighten" in found["models"][0]["notes"][0]


def test_frozen_fails_when_the_lock_is_out_of_date(config: Path, command: Command) -> None:
    code, out, _ = command("check", "--frozen")
    assert code == ExitCode.UNMEASURED  # there is a ratchet, and nothing to hold it
    locked(command)
    change(config, "G = 4", "G = 8")
    assert command("check")[0] == ExitCode.OK
    code, out, _ = command("check", "--frozen")
    assert code == ExitCode.FAILED
    assert "res: rewrite, structure" in out
    assert "the lock file is out of date" in out


def test_of_some_models_the_lock_is_up_to_date_if_theirs_is(config: Path, command: Command) -> None:
    locked(command)
    assert command("check", "res", "--frozen")[0] == ExitCode.OK
    change(config, "[models.alex]", "[models.alexander]")
    change(config, "[models.alex.budget]", "[models.alexander.budget]")
    assert command("check", "res", "--frozen")[0] == ExitCode.OK
    code, out, _ = command("check", "--frozen")
    assert code == ExitCode.FAILED
    assert "alex is no longer configured" in out
    assert "alexander is not in it" in out


def test_the_lock_refuses_what_the_ratchet_guards(config: Path, command: Command) -> None:
    locked(command)
    lock = Path("dualcost.lock")
    before = lock.read_bytes()
    change(config, "G = 4", "G = 2")
    code, out, _ = command("lock")
    assert (code, lock.read_bytes()) == (ExitCode.FAILED, before)
    assert "dualcost.lock stays as it was" in out
    words = [word for name in ("params", "macs") for word in ("--accept", name)]
    code, out, _ = command("lock", *words, "--reason", "accuracy, see #12", "--json")
    assert code == ExitCode.OK
    accepted = json.loads(out)["accepted"]
    assert [(one["metric"], one["reason"]) for one in accepted] == [
        ("macs", "accuracy, see #12"),
        ("params", "accuracy, see #12"),
    ]
    assert 'reason = "accuracy, see #12"' in lock.read_text()
    assert command("lock")[1] == "dualcost.lock is up to date: 2 models\n"


def test_tightening_lowers_and_nothing_else(config: Path, command: Command) -> None:
    locked(command)
    lock = Path("dualcost.lock")
    before = lock.read_text()
    change(config, "G = 4", "G = 2")
    assert command("lock", "--tighten")[0] == ExitCode.OK
    assert lock.read_text() == before
    change(config, "G = 2", "G = 8")
    code, out, _ = command("lock", "--tighten")
    assert code == ExitCode.OK
    assert "wrote dualcost.lock" in out
    assert command("check", "--frozen")[0] == ExitCode.OK


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--accept", "params"], "--accept and --reason belong together"),
        (["--reason", "so"], "--accept and --reason belong together"),
        (["--accept", "parms", "--reason", "so"], "no metric is called 'parms'"),
        (["--accept", "params", "--reason", "so", "--tighten"], "--tighten only lowers"),
        (["--tighten"], "there is no dualcost.lock to tighten"),
        (["--accept", "params", "--reason", "so"], "params did not rise"),
    ],
)
def test_what_lock_is_told_must_fit(
    config: Path, command: Command, words: list[str], message: str
) -> None:
    code, out, err = command("lock", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err
    assert not Path("dualcost.lock").exists()


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ('"resnet18"', '"resnet81"', 2, "dualcost.toml:1: res: no model is called 'resnet81'"),
        ("G = 4", "G = 3", 2, "dualcost.toml:1: res: layer1.0.conv1: M=64 is not divisible by G=3"),
        ('"layer4.*"', '"layer9.*"', 2, "dualcost.toml:9: no layer of res fits 'layer9.*'"),
        ('"resnet18"', '"gone.py:make"', 3, "dualcost.toml:1: res: there is no file gone.py"),
        ("params", "parms", 2, "dualcost.toml:6: no metric is called 'parms'"),
        ("[ratchet]", "[ratchet", 2, "dualcost.toml is not TOML: "),
    ],
)
def test_bad_input_is_one_clear_error(
    config: Path, command: Command, old: str, new: str, code: int, message: str
) -> None:
    locked(command)
    change(config, old, new)
    found, out, err = command("check")
    assert found == code
    assert message in " ".join(f"{out} {err}".split())
    assert err.count("error:") == (code == ExitCode.USAGE)


def test_a_model_that_is_gone_does_not_hide_the_others(config: Path, command: Command) -> None:
    locked(command)
    change(config, '"resnet18"', '"gone.py:make"')
    code, found = as_json(command)
    assert code == ExitCode.UNMEASURED
    res, alex = found["models"]
    assert "gone.py" in res["error"]["message"]
    assert [one["status"] for one in alex["verdicts"]] == ["ok", "ok", "ok"]


def test_a_baseline_of_another_input_does_not_fit(config: Path, command: Command) -> None:
    locked(command)
    change(Path("dualcost.lock"), '["1x3x224x224"]', '["1x3x64x64"]')
    code, out, _ = command("check")
    assert code == ExitCode.UNMEASURED
    assert "does not fit dualcost.lock: its input was 1x3x64x64, and is 1x3x224x224" in " ".join(
        out.split()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 9\n", "dualcost.lock:1: its schema is 9, and this dualcost reads 1"),
        ("<<<<<<< HEAD\n", "dualcost.lock:1: a merge conflict was left in it"),
    ],
)
def test_a_lock_that_cannot_be_read_stops_both_commands(
    config: Path, command: Command, text: str, message: str
) -> None:
    Path("dualcost.lock").write_text(text)
    for name in ("check", "lock"):
        code, _, err = command(name)
        assert code == ExitCode.USAGE
        assert message in err
        assert Path("dualcost.lock").read_text() == text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "jsn"], "no form of output is called 'jsn'"),
        (["--output", "json="], "--output json= names no file"),
        (["--output", "json=no/such/folder.json"], "cannot write"),
        (["nobody"], "no model is called 'nobody'"),
        (["--config", "other.toml"], "cannot read other.toml"),
        (["--baseline", "none.json"], "cannot read none.json"),
        (["--baseline", "git:main"], "not a git repository"),
    ],
)
def test_words_that_do_not_fit_stop_before_the_work(
    config: Path, command: Command, words: list[str], message: str
) -> None:
    code, out, err = command("check", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err


def test_a_json_file_that_is_no_report_is_no_baseline(config: Path, command: Command) -> None:
    for text, message in (("{", "is not JSON"), ('{"schema": 1}', "is not the report of a check")):
        Path("some.json").write_text(text)
        code, _, err = command("check", "--baseline", "some.json")
        assert code == ExitCode.USAGE
        assert message in err


def test_ctrl_c_ends_with_its_code(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(command)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(appraisal, "appraise", interrupted)
    assert command("check")[0] == ExitCode.INTERRUPTED


def test_the_codes_of_a_gate_stay_what_they_are() -> None:
    codes = (
        *(ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE),
        *(ExitCode.UNMEASURED, ExitCode.INTERRUPTED),
    )
    assert codes == (0, 1, 2, 3, 130)


def test_why_names_a_rewrite_that_fits(config: Path, command: Command) -> None:
    change(config, 'rewrite = { conv = "dual", G = 4 }\n', "")
    change(config, '"30 %"', '"0 %"')
    change(config, 'macs = { max = "250 M" }', 'params = "20 M"')
    change(config, '"5 M"', '"9 M"')
    locked(command)
    code, found = as_json(command, "res", "--why")
    assert code == ExitCode.FAILED
    advice = found["models"][0]["advice"]
    assert advice.startswith("try dual G=")
    assert advice.endswith(": fits")


@pytest.mark.parametrize(
    ("params", "layers", "ending"),
    [
        ("9 M", "1", "M params: fits, but for params of layer4.*"),
        ("1 K", "20 M", "still over in params by "),
    ],
)
def test_why_is_honest_about_what_it_does_not_bring_down(
    config: Path, command: Command, params: str, layers: str, ending: str
) -> None:
    config.write_text(
        f'[models.res]\ntarget = "resnet18"\nbudget.params = "{params}"\n'
        f'[[models.res.layer]]\nmatch = "layer4.*"\nparams = "{layers}"\n'
    )
    code, found = as_json(command, "--why")
    assert code == ExitCode.FAILED
    assert ending in found["models"][0]["advice"]


@pytest.mark.parametrize(("level", "code"), [("warn", 0), ("error", 3)])
def test_a_latency_that_cannot_be_known_stops_only_where_it_is_an_error(
    config: Path, command: Command, level: str, code: int
) -> None:
    locked(command)
    limit = f'latency.estimate = {{ max = "1 s", level = "{level}" }}'
    change(config, 'traffic = "1 GiB"', f'traffic = "1 GiB"\n{limit}')
    found, report = as_json(command, "alex")
    (alex,) = report["models"]
    assert found == code
    assert len(alex["verdicts"]) == 3  # the other limits are judged all the same
    said = alex["notes"][0] if level == "warn" else alex["error"]["message"]
    assert "alex: latency.estimate was not measured: this machine has not been calibra" in said
    assert command("check", "alex", "--no-latency")[0] == ExitCode.OK


def test_a_latency_is_measured_beside_the_model_before_its_rewrite(
    config: Path, command: Command
) -> None:
    change(config, 'params = "5 M"', 'latency.cpu = "1 s"')
    model = read(config).models[0]
    ((key, time),) = appraisal.times(model, budget_s=0.5)
    assert key == "latency.cpu 1"
    assert isinstance(time, appraisal.Time)
    assert time.before_s is not None
    assert min(time.seconds, time.before_s) > 0


TEN = (
    *("alexnet", "vgg11", "vgg16", "resnet18", "resnet50", "resnet101", "googlenet"),
    *("mobilenet_v2", "densenet121", "squeezenet1_0"),
)


def test_ten_packaged_models_are_checked_without_torch(config: Path, command: Command) -> None:
    tables = (
        f'[models.{name}]\ntarget = "torchvision:{name}"\n[models.{name}.budget]\nmacs = "99 G"\n'
        for name in TEN
    )
    config.write_text("\n".join(tables))
    code, found = heavy_imports_of(running("check --output json=found.json"))
    assert (code, found) == (0, "[]")
    assert len(json.loads(Path("found.json").read_text())["models"]) == 10


@pytest.mark.parametrize("form", ["text", "markdown", "junit", "sarif"])
def test_no_form_needs_anything_heavy(config: Path, command: Command, form: str) -> None:
    locked(command)
    assert heavy_imports_of(running(f"check --output {form}")) == (0, "[]")


def test_the_python_interface_says_the_same(config: Path, command: Command) -> None:
    locked(command)
    report = dualcost.check()
    assert (report.exit_code, len(report.verdicts)) == (ExitCode.OK, 8)
    change(config, "G = 4", "G = 2")
    report = dualcost.check("dualcost.toml", why=True)
    assert report.exit_code == ExitCode.FAILED
    assert {verdict.metric for verdict in report.failed} == {"params", "macs"}
    assert report.models[0].advice.startswith("try ")


def test_the_schema_of_the_report_is_valid() -> None:
    from support.schemas import SCHEMA

    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_models_that_must_be_traced_are_traced_at_the_same_time(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2, timeout=20)

    def answer(*_: object) -> object:
        both.wait()  # passes only when two have come
        return appraisal.appraise(read(config).models[1]).to_json()

    change(config, '"resnet18"', '"models.py:one"')
    change(config, '"torchvision:alexnet"', '"models.py:two"')
    change(config, '[[models.res.layer]]\nmatch = "layer4.*"\nmacs = { max = "250 M" }\n', "")
    asked = read(config)
    change(config, '"models.py:two"', '"alexnet"')
    monkeypatch.setattr(survey, "_ask", answer)
    assert [type(one) for one in survey.survey(asked, jobs=2).values()] == [Appraisal] * 2


def test_an_annotation_names_the_file_from_the_top_of_the_repository(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".git").mkdir()
    inner = Path("models")
    inner.mkdir()
    config.rename(inner / config.name)
    monkeypatch.chdir(inner)
    locked(command)
    change(config, "5 M", "4 M")
    assert "::error file=models/dualcost.toml,line=6," in command("check", "--output", "github")[1]
    assert command("check")[1].startswith("dualcost.toml against dualcost.lock")
