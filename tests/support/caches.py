"""A user's cache of networks, with what else may lie there."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import Command

from dualcost.library import cache
from dualcost.library.networks import load
from dualcost.network import symbolic, tracefile
from dualcost.network.symbolic import SymbolicNetwork

DIGEST = "0123456789abcdef"


FOREIGN = (
    *("notes.txt", f"resnet18-{DIGEST}.txt", "resnet18.jsonl.gz", f"{DIGEST}.jsonl.gz"),
    *(f"resnet18-{DIGEST[:15]}.jsonl.gz", f".resnet18-{DIGEST}.jsonl.x.gz", "calibration.json"),
)


@pytest.fixture
def filled(command: Command) -> Path:
    """Two networks, one with symbols, a damaged one; and files, a folder and a link of others."""
    folder = cache.folder()
    for name in ("alexnet", "resnet18"):
        tracefile.write(load(name), folder / f"{name}-{DIGEST}{tracefile.SUFFIX}")
    symbolic.write(
        SymbolicNetwork(load("alexnet"), {}, ()), folder / f"alexnet-{DIGEST}-all{symbolic.SUFFIX}"
    )
    (folder / f"broken-{DIGEST}{tracefile.SUFFIX}").write_bytes(b"\x1f\x8b broken")
    (folder / f"empty-{DIGEST}-B{symbolic.SUFFIX}").write_bytes(b"")
    for name in FOREIGN:
        (folder / name).write_text("mine")
    (folder / f"folder-{DIGEST}{tracefile.SUFFIX}").mkdir()
    (folder / f"link-{DIGEST}{tracefile.SUFFIX}").symlink_to(folder / "notes.txt")
    return folder
