"""Try an installed dualcost from outside of its repository.

    path/to/environment/bin/python scripts/try_installed.py

With the interpreter of the environment into which the wheel was installed: it runs a few commands
in an empty folder, compares their integers, and stops if a module, a trace or a table was read
from this repository and not from the environment.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = Path(sysconfig.get_path("purelib"))
# ResNet-50 at 1×3×224×224: the 2.91 G and 18.33 M of the paper's Table V
MACS, PARAMS = 2_907_439_104, 18_326_568
# cells of the paper's tables, as docs/paper/tables.md shows them one by one
VERDICTS = {"agrees": 178, "quoted": 14, "differs": 8}


def watch_reads(folder: Path) -> list[str]:
    """A list that grows by each path in this folder that Python opens from now on."""
    opened: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.fsdecode(arguments[0])
            if Path(path).is_relative_to(folder):
                opened.append(path)

    sys.addaudithook(hook)
    return opened


def printed(run: Callable[[list[str]], int], *words: str) -> str:
    """What a command prints, once it has ended well."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = run(list(words))
    if code:
        sys.exit(f"dualcost {' '.join(words)} left with {code}")
    return out.getvalue()


def expect(what: str, found: object, wanted: object) -> None:
    """Stop where something is not as it must be."""
    if found != wanted:
        sys.exit(f"{what}: {found!r}, and not {wanted!r}")


def main() -> None:
    """Run the commands; leave with a message and code 1 at the first that is wrong."""
    opened = watch_reads(ROOT / "dualcost")
    import dualcost
    from dualcost.cli import run
    from dualcost.library.networks import TRACES

    folder = SITE / "dualcost"
    expect("dualcost stands in", Path(dualcost.__file__).parent, folder)
    expect("its traces stand in", TRACES, folder / "library/traces")

    script = Path(sysconfig.get_path("scripts")) / "dualcost"
    version = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    expect("the version", version.stdout, f"dualcost {dualcost.__version__}\n")

    words = ("profile", "resnet50", "--conv", "dual", "--G", "4")
    after = json.loads(printed(run, *words, "--format", "json"))["total"]["after"]
    expect("MACs and parameters", (after["macs"], after["params"]), (MACS, PARAMS))
    table = printed(run, *words)
    expect("the table has both", [f"{n:,}" in table for n in (MACS, PARAMS)], [True, True])

    known = [f"{path.parent.name}:{path.name.partition('.')[0]}" for path in TRACES.glob("*/*")]
    listed = printed(run, "list").split()
    expect("networks without a line", [name for name in known if name not in listed], [])
    verdicts = json.loads(printed(run, "paper", "--json"))["verdicts"]
    expect("cells of the paper", verdicts, VERDICTS)
    expect("files read in the repository", opened, [])
    print(f"dualcost {dualcost.__version__} in {folder}: {MACS:,} MACs, {len(known)} networks")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        os.environ["COLUMNS"] = "200"  # no name is broken over two lines
        main()
