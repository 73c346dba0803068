"""What the parser refuses is said in one form: what is wrong, and what to do."""

from __future__ import annotations

import pytest
from support.commands import Command

from dualcost.errors import ExitCode


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("profile", "MODEL is missing", "such as `dualcost profile resnet50 --conv dual --G 4`"),
        ("profile vgg16 --top x", "--top: 'x' is no whole number", "`dualcost profile --help`"),
        ("profile vgg16 --conv", "--conv needs a value", "`dualcost profile --help`"),
        ("profile vgg16 more", "`dualcost profile` has no place for 'more'", "such as"),
        ("profile vgg16 --tpo 3", "`dualcost profile` takes no --tpo", "--top"),
        ("bench vgg16 --plot", "`dualcost bench` takes no --plot", "`dualcost sweep vgg16"),
        ("bench vgg16 --device tpu", "--device: 'tpu' is not cpu or cuda", "`dualcost bench"),
        ("bench vgg16 --threads 0", "--threads: 0 is not at least 1", "`dualcost bench --help`"),
        ("equations 12", "numbers: 12 is not at least 1 and at most 11", "equations --help"),
        ("export vgg16", "there is no command 'export'", "`dualcost convert vgg16"),
        ("vgg16 --json", "there is no command 'vgg16'", "`dualcost profile vgg16 --json`"),
        ("cache", "`dualcost cache` needs a word more", "one of dir, list, clear"),
        ("cache empty", "`dualcost cache` knows no 'empty'", "one of dir, list, clear"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    command: Command, line: str, message: str, hint: str
) -> None:
    code, out, err = command(*line.split())
    assert (code, out) == (ExitCode.USAGE, "")
    first, second = err.splitlines()
    assert first == f"error: {message}"
    assert second.startswith("hint: ") and hint in second
