"""The command line as its users meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.commands import Command, in_a_process
from syrupy.assertion import SnapshotAssertion

import dualcost
from dualcost.errors import ExitCode, UnknownNameError
from dualcost.library import networks
from dualcost.library.networks import headers
from dualcost.network.network import TensorSpec

SCHEMA = json.loads(
    (Path(dualcost.__file__).parent / "render" / "profile" / "profile.schema.json").read_text()
)


def test_the_main_job_prints_the_integers_of_the_paper(
    command: Command, snapshot: SnapshotAssertion
) -> None:
    code, out, err = command("profile", "resnet50", "--conv", "dual", "--G", "4")
    assert (code, err) == (ExitCode.OK, "")
    # Table V prints 4.09 G → 2.91 G and 25.56 M → 18.33 M
    assert "4,089,184,256 → 2,907,439,104" in out
    assert "25,557,032 →    18,326,568" in out
    assert out == snapshot


def test_what_is_piped_has_no_colours_and_fits_the_columns(command: Command) -> None:
    _, out, _ = command("profile", "mobilenet_v2", "--conv", "dsc", "--where", "separable")
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 80


def as_json(command: Command, *arguments: str) -> Any:
    code, out, _ = command("profile", *arguments, "--format", "json")
    assert code == ExitCode.OK
    return json.loads(out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["resnet50"],
        ["resnet50", "--conv", "dual", "--G", "4"],
        ["resnet50", "--conv", "het", "--P", "4", "--indivisible", "gcd"],
        ["mobilenet_v2", "--conv", "group", "--G", "8", "--where", "inverted-residual"],
        ["mobilenetv2-cifar", "--conv", "dual", "--G", "16", "--where", "inverted-residual",
         "--bias", "drop", "--but", "M<=32: G=8"],
        ["vit_b_16", "--convention", "paper"],
        ["vit_b_16", "--convention", "all"],
        ["resnet18", "--conv", "dual", "--G", "4", "--convention", "all"],
        ["deeplabv3_resnet50", "--conv", "het", "--P", "4", "--convention", "fvcore"],
        ["inception_v3", "--conv", "dsc"],
        ["fasterrcnn_resnet50_fpn"],
        ["raft_small", "--conv", "standard"],
        ["r3d_18", "--conv", "dual", "--G", "2"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_fits_its_schema_and_adds_up(command: Command, arguments: list[str]) -> None:
    result = as_json(command, *arguments)
    jsonschema.validate(result, SCHEMA, cls=jsonschema.Draft202012Validator)
    for side in ("before", "after"):
        sums = result["total"][side]
        assert list(sums) == [
            "macs", "operations", "flops", "params", "weight_bytes", "activation_bytes", "traffic"
        ]  # fmt: skip
        assert sums["flops"] == 2 * sums["macs"] + sums["operations"]
        for metric, total in sums.items():
            assert sum(group[side][metric] for group in result["totals"].values()) == total
            if metric != "flops":  # rows leave it to their readers
                assert sum(row[f"{metric}_{side}"] for row in result["rows"]) == total
        assert (
            0
            < result["peak"][side]["bytes"]
            < sums["activation_bytes"]
            + sum(
                TensorSpec(tuple(spec["shape"]), spec["dtype"]).nbytes for spec in result["inputs"]
            )
        )


def test_the_schema_refuses_what_is_not_a_profile(command: Command) -> None:
    result = as_json(command, "alexnet")
    result["rows"][0]["macs_before"] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(result, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_csv_has_the_rows_of_json(command: Command) -> None:
    arguments = ("resnet18", "--conv", "dual", "--G", "2")
    rows = as_json(command, *arguments)["rows"]
    _, out, _ = command("profile", *arguments, "--format", "csv")
    read = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in read] == [row["path"] for row in rows]
    assert [int(row["macs_after"]) for row in read] == [row["macs_after"] for row in rows]


def test_markdown_is_a_table_for_a_pull_request(
    command: Command, snapshot: SnapshotAssertion
) -> None:
    code, out, _ = command("profile", "alexnet", "--conv", "group", "--G", "2", "--format=markdown")
    assert code == ExitCode.OK
    assert out == snapshot


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
@pytest.mark.parametrize("top", [0, 1, 3])
@pytest.mark.parametrize("sort", ["order", "macs", "params", "saved", "path"])
def test_rows_that_are_folded_sorted_and_cut_still_add_up(
    command: Command, depth: int, top: int, sort: str
) -> None:
    arguments = ["resnet18", "--conv", "dual", "--G", "2", "--depth", str(depth), "--top", str(top)]
    words = ("profile", *arguments, "--sort", sort, "--convention", "all", "--format")
    rows = list(csv.DictReader(io.StringIO(command(*words, "csv")[1])))
    whole = json.loads(command(*words, "json")[1])["total"]["before"]
    assert sum(int(row["operations_before"]) for row in rows) == whole["operations"] > 0
    assert sum(int(row["macs_before"]) for row in rows) == 1_814_073_344  # torchvision: 1.814 G
    assert sum(int(row["params_before"]) for row in rows) == 11_689_512  # torchvision: num_params
    assert len(rows) <= (top + 1 if top else 100)


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_every_column_of_folded_csv_adds_up(command: Command, depth: int) -> None:
    words = ("profile", "resnet18", "--conv", "dual", "--G", "2", "--format")
    folded = csv.DictReader(io.StringIO(command(*words, "csv", "--depth", str(depth))[1]))
    whole = json.loads(command(*words, "json")[1])["total"]
    rows = [*folded]
    assert len({row["path"] for row in rows}) == len(rows)  # no module beside what is in it
    for side in ("before", "after"):
        for metric in ("macs", "params", "weight_bytes", "activation_bytes", "traffic"):
            total = sum(int(row[f"{metric}_{side}"]) for row in rows)
            assert total == whole[side][metric] > 0


def test_the_ending_of_the_output_chooses_its_format(command: Command, tmp_path: Path) -> None:
    for name, start in (("a.json", "{"), ("a.csv", "path,"), ("a.md", "###"), ("a.txt", "torch")):
        code, out, err = command("profile", "alexnet", "-o", name)
        assert (code, out) == (ExitCode.OK, "")
        assert name in err
        assert (tmp_path / name).read_text().startswith(start)


def test_exact_units_print_whole_numbers(command: Command) -> None:
    _, out, _ = command("profile", "alexnet", "--unit", "1", "--depth", "0")
    assert out.count("714,188,480") == 3  # the row, the total, the last lines


def test_an_explanation_names_the_term_that_refused_a_site(command: Command) -> None:
    code, out, _ = command("profile", "resnet50", "--conv", "dual", "--G", "4", "--sites")
    assert code == ExitCode.OK
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "kernel>1 wanted, is 1×1" in lines["layer1.0.conv1"]
    assert "first=no wanted, is yes" in lines["conv1"]
    assert "replaced" in lines["layer1.0.conv2"]


def test_an_explanation_also_says_where_a_divisor_does_not_fit(command: Command) -> None:
    code, out, _ = command("profile", "resnet50", "--conv", "dual", "--G", "3", "--sites")
    assert code == ExitCode.OK
    assert "M=64 is not divisible by G=3" in out


def test_sites_with_another_divisor_are_listed(command: Command) -> None:
    arguments = ("--conv", "dual", "--G", "3", "--indivisible", "gcd")
    _, out, _ = command("profile", "resnet50", *arguments)
    assert out.count("is not divisible by G=3") == 16


MODEL = """
import torch
class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return self.conv(x)
class Broken(Small):
    def forward(self, x):
        raise RuntimeError("out of cheese")
"""


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["profile", "resnt50"], "no model is called 'resnt50'", "did you mean resnet50"),
        (["profile", "zoo:vgg16"], "no network of the zoo is called 'vgg16'", "vgg16-"),
        (["profile", "torchvision:resnt50"], "no model of torchvision", "resnet50"),
        (["profile", "resnet50", "--conv", "duel"], "'duel'", "did you mean dual?"),
        (["profile", "resnet50", "--conv", "dual"], "dual needs G", "--G 4"),
        (["profile", "resnet50", "--conv", "het"], "het needs P", "--P 4"),
        (["profile", "resnet50", "--conv", "dual", "--P", "4"], "takes G", "--G 4"),
        (["profile", "resnet50", "--conv", "dual", "--G", "0"], "--G 0 has a value", "1,2,4"),
        (["profile", "resnet50", "--conv", "dual", "--G", "48"], "M=64", "--indivisible"),
        (["profile", "resnet50", "--G", "4"], "--G says how", "--conv dual"),
        (["profile", "resnet50", "--covn", "dual"], "--covn", "--conv"),
        (["profile", "resnet50", "--conv", "dual", "--G", "4", "--where", "kernal=3"],
         "'kernal'", "kernel"),
        (["profile", "resnet50", "--conv", "dual", "--G", "4", "--where", "kernel=9"],
         "nothing in", "--sites"),
        (["profile", "resnet50", "--conv", "dual", "--G", "4", "--indivisible", "ignore"],
         "'ignore'", "fallback:8"),
        (["profile", "resnet50", "--conv", "dual", "--G", "4", "--but", "G=8"], "'G=8'", "RULE"),
        (["profile", "mobilenet_v2", "--conv", "dual", "--G", "4"], "nothing in", "separable"),
        (["profile", "resnet50", "--unit", "X"], "'X'", "auto"),
        (["profile", "resnet50", "--sort", "mac"], "'mac'", "macs"),
        (["profile", "resnet50", "--top", "-1"], "--top -1", "--top 0"),
        (["profile", "resnet50", "--depth", "-1"], "--depth -1", "--depth 0"),
        (["profile", "resnet50", "--batch", "0"], "--batch 0 has a value", "1,2,4"),
        (["profile", "resnet50", "--format", "xml"], "is called 'xml'", "markdown"),
        (["profile", "resnet50", "--convention", "fvcor"], "'fvcor'", "did you mean fvcore?"),
        (["profile", "resnet50", "--input", "3xx4"], "'3xx4'", "1x3x224x224"),
        (["profile", "resnet50", "--input", "1x1x64x64"], "1×1×64×64", "--input"),
        (["profile", "resnet50", "-o", "missing/a.json"], "cannot write missing/a.json", "another"),
        (["profile", "missing.py:make"], "no file missing.py", "path/to/file.py"),
        (["profile", "no_such_package:make"], "no_such_package", "imports"),
        (["profile", "small.py:Small"], "nothing is known about the input", "--input"),
        (["profile", "small.py:Smal", "--input", "1x3x8x8"], "'Smal'", "Small"),
        (["profile", "small.py:Broken", "--input", "1x3x8x8"], "out of cheese", "forward"),
        (["profile", "small.py:Small", "--input", "1x4x8x8"], "1×4×8×8", "forward takes (x)"),
        (["profile", "syntax.py:make", "--input", "1x3x8x8"], "SyntaxError", "imports"),
        (["list", "resnt50"], "'resnt50'", "resnet50"),
        (["equations", "12"], "12", "--help"),
        (["equations", "--latex", "--json"], "--json and --format latex", "choose one"),
        (["prfile"], "there is no command 'prfile'", "dualcost profile"),
        (["profile"], "MODEL is missing", "dualcost profile resnet50"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_input_ends_in_one_message_with_a_hint(
    command: Command, tmp_path: Path, arguments: list[str], message: str, hint: str
) -> None:
    (tmp_path / "small.py").write_text(MODEL)
    (tmp_path / "syntax.py").write_text("def make(:\n")
    before = sorted(tmp_path.iterdir())
    code, out, err = command(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    errors = [line for line in err.splitlines() if not line.startswith("dualcost: ")]
    assert [line.partition(":")[0] for line in errors] == ["error", "hint"], err
    assert message in errors[0]
    assert hint in errors[1]
    written = {path.name for path in set(tmp_path.iterdir()) - set(before)}
    assert written <= {"__pycache__", "cache"}  # nothing half-written


def test_debug_shows_the_traceback(command: Command) -> None:
    with pytest.raises(UnknownNameError):
        command("profile", "resnt50", "--debug")


def test_a_fault_of_dualcost_is_called_so(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "headers", lambda: 1 / 0)
    code, _, err = command("list")
    assert code == ExitCode.BUG
    assert "ZeroDivisionError" in err
    assert "--debug" in err


def test_ctrl_c_ends_with_its_own_code(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(networks, "headers", interrupted)
    assert command("list")[0] == ExitCode.INTERRUPTED


def test_exit_codes_are_frozen() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNMEASURED": 3,
        "BUG": 70,
        "INTERRUPTED": 130,
    }


def test_list_shows_every_packaged_network(command: Command) -> None:
    _, out, _ = command("list", "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)["networks"]}
    assert set(listed) == {header.name for header in headers()}
    assert listed["torchvision:resnet50"]["params"] == 25_557_032
    _, out, _ = command("list", "zoo:*")
    assert "torchvision" not in out
    assert "yolov3-voc" in out


def test_equations_are_printed_in_three_forms(command: Command) -> None:
    _, out, _ = command("equations", "9")
    assert "(9) group over standard, section III-B" in out
    _, out, _ = command("equations", "--latex")
    assert out.count(r"\tag{") == 11
    _, out, _ = command("equations", "--json")
    assert [entry["number"] for entry in json.loads(out)["equations"]] == list(range(1, 12))


def test_help_and_version_answer(command: Command) -> None:
    assert command("--version") == (0, f"dualcost {dualcost.__version__}\n", "")
    code, out, _ = command()
    assert code == 0
    assert "profile" in out
    for name in ("profile", "list", "equations"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert "Examples" in out


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m dualcost list | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("network")
    assert done.stderr == ""


def test_a_terminal_gets_colours_unless_no_color_is_set() -> None:
    arguments = ("-m", "dualcost", "profile", "alexnet", "--conv", "group", "--G", "2")
    assert "\x1b[" in in_a_process(*arguments, FORCE_COLOR="1", TERM="xterm").stdout
    quiet = in_a_process(*arguments, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
    assert "\x1b[36m" not in quiet


def test_another_input_is_traced_once_and_then_cached(command: Command, tmp_path: Path) -> None:
    arguments = ("profile", "alexnet", "--input", "1x3x127x127", "--format", "json")
    code, first, err = command(*arguments)
    assert code == ExitCode.OK
    assert "tracing torchvision:alexnet" in err
    (entry,) = (tmp_path / "cache" / "dualcost" / "traces").iterdir()
    code, again, err = command(*arguments)
    assert (code, again, err) == (ExitCode.OK, first, "")
    entry.write_bytes(entry.read_bytes()[:100])  # a damaged entry is made anew, and said so
    code, again, err = command(*arguments)
    assert (code, again) == (ExitCode.OK, first)
    assert "damaged" in err
    assert command(*arguments)[2] == ""


def test_what_a_model_prints_is_no_result(command: Command, tmp_path: Path) -> None:
    noisy = "import torch\nprint('import')\ndef make():\n    print('build')\n    return Loud()\n"
    noisy += "class Loud(torch.nn.ReLU):\n    def forward(self, x):\n        print('run')\n"
    (tmp_path / "noisy.py").write_text(noisy + "        return super().forward(x)\n")
    words = ("profile", "noisy.py:make", "--input", "1x3", "--format", "json")
    code, out, err = command(*words)
    assert code == ExitCode.OK
    assert json.loads(out)["network"] == "noisy.py:make"
    assert all(word in err for word in ("import", "build", "run"))


def test_a_batch_multiplies_the_macs_and_not_the_parameters(command: Command) -> None:
    one = as_json(command, "alexnet")["total"]["before"]
    eight = as_json(command, "alexnet", "--batch", "8")["total"]["before"]
    assert (eight["macs"], eight["params"]) == (8 * one["macs"], one["params"])
