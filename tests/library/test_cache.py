"""The cache of traces: what is in it, and that nothing else is ever removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.caches import DIGEST, FOREIGN
from support.commands import Command

from dualcost.errors import ExitCode, OutputError
from dualcost.library import cache
from dualcost.library import networks as library
from dualcost.library.networks import load
from dualcost.network import tracefile
from dualcost.network.resize import Resize


def foreign(folder: Path) -> set[str]:
    made = {f"{kind}-{DIGEST}{tracefile.SUFFIX}" for kind in ("folder", "link")}
    return {*FOREIGN, *made}


def test_the_folder_is_printed_alone(command: Command, tmp_path: Path) -> None:
    assert command("cache", "dir") == (0, f"{tmp_path / 'cache' / 'dualcost' / 'traces'}\n", "")


def test_an_empty_cache_is_no_error(command: Command) -> None:
    assert command("cache", "list") == (0, "nothing\n", "")
    code, out, err = command("cache", "clear")
    assert (code, out) == (0, "nothing\n")
    assert "removed 0" in err


def test_entries_are_listed_with_their_network_and_size(command: Command, filled: Path) -> None:
    document = json.loads(command("cache", "list", "--json")[1])
    found = {Path(entry["path"]).name: entry for entry in document["entries"]}
    files = {path.name for path in filled.iterdir()} - foreign(filled)
    assert set(found) == files
    for name, entry in found.items():
        assert entry["nbytes"] == (filled / name).stat().st_size
        known = name.partition("-")[0]
        if known in ("broken", "empty"):
            assert (entry["network"], entry["inputs"], entry["versions"]) == ("", [], {})
        else:
            assert entry["network"] == f"torchvision:{known}"
            assert entry["inputs"] == ["1×3×224×224"]
            assert entry["versions"] == load(known).versions
        assert entry["symbols"] == name.endswith(".json.gz")
    _, out, _ = command("cache", "list")
    assert "damaged: broken-" in out
    assert "5 entries" in out
    assert len(json.loads(command("cache", "list", "alexnet", "--json")[1])["entries"]) == 2


def test_a_dry_run_removes_nothing(command: Command, filled: Path) -> None:
    before = sorted(filled.iterdir())
    code, out, err = command("cache", "clear", "--dry-run")
    assert code == ExitCode.OK
    assert "torchvision:resnet18" in out
    assert "would remove 5" in err
    assert sorted(filled.iterdir()) == before


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("resnet*", ["resnet18"]),
        ("torchvision:alexnet", ["alexnet", "alexnet"]),
        ("broken*", ["broken"]),
        ("vgg*", []),
        ("*", ["alexnet", "alexnet", "broken", "empty", "resnet18"]),
    ],
)
def test_what_fits_a_glob_is_removed_and_nothing_of_others(
    command: Command, filled: Path, pattern: str, gone: list[str]
) -> None:
    before = {path.name for path in filled.iterdir()}
    assert command("cache", "clear", pattern)[0] == ExitCode.OK
    after = {path.name for path in filled.iterdir()}
    assert sorted(name.partition("-")[0] for name in before - after) == gone
    assert foreign(filled) <= after
    assert all((filled / name).read_text() == "mine" for name in FOREIGN)


def test_a_calibration_is_data_and_stays(
    command: Command, filled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from support.calibrations import linear_calibration

    from dualcost.latency import calibration

    # where a user's cache and data lie in one folder
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "cache"))
    calibration.write(linear_calibration(), calibration.default_path())
    command("cache", "clear")
    assert calibration.read() == linear_calibration()


def test_what_is_really_cached_is_listed_and_made_anew_after_it_is_removed(
    command: Command,
) -> None:
    words = ("profile", "alexnet", "--input", "1x3x127x127")
    first = command(*words)
    (entry,) = cache.entries()
    assert (entry.network, entry.inputs) == ("torchvision:alexnet", ("1×3×127×127",))
    assert command("cache", "clear", "alexnet")[0] == ExitCode.OK
    assert command(*words) == first  # and says again that it is traced


def test_an_entry_that_another_process_removes_is_no_error(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = cache.entries()
    listed[0].path.unlink()
    monkeypatch.setattr(cache, "entries", lambda: listed)
    assert cache.clear() == listed
    missing = replace(listed[0], path=filled / f"gone-{DIGEST}{tracefile.SUFFIX}")
    assert not list(cache._entry(missing.path))


def test_a_folder_that_cannot_be_used_is_said(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match="cannot remove"):
        cache.clear()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(OutputError, match="cannot read"):
        cache.entries()


def test_the_library_writes_names_that_the_cache_knows(command: Command) -> None:
    for name in ("alexnet", "vgg16-cifar10", "tf_efficientnet-b0.in1k", "a" * 64):
        traced = library._cached("timm", name, (), Resize())
        assert traced.parent == cache.folder()
        traced.parent.mkdir(parents=True, exist_ok=True)
        traced.write_bytes(b"")
    assert len(cache.entries()) == 4
    assert all(entry.damaged for entry in cache.entries())
