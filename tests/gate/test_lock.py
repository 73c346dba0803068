"""A lock file reads well, reads back, and only grows worse when somebody says why."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import quickly
from support.snapshots import LAYERS, snapshot

from dualcost.errors import OutputError, UsageError
from dualcost.gate import lockfile as lock
from dualcost.gate.lockfile import Acceptance, Lock
from dualcost.gate.snapshot import Snapshot

pytestmark = pytest.mark.usefixtures("warm_python")


def locked(*snapshots: Snapshot) -> Lock:
    return Lock({one.model: one for one in snapshots})


def written(value: Lock, folder: Path) -> Path:
    path = folder / "dualcost.lock"
    lock.write(value, path)
    return path


def test_it_reads_back_to_the_same_text_and_numbers(tmp_path: Path) -> None:
    one = replace(snapshot(unknown=2), rewrite='conv=dual G=4 but=path="x": keep')
    path = written(
        Lock({"small": one}, (Acceptance("small", "macs", 1, 6150, "é “why”"),)), tmp_path
    )
    again = lock.read(path)
    assert lock.text(again) == path.read_text()
    assert again.snapshots["small"] == replace(
        one, layers=tuple(sorted(one.layers, key=lambda layer: layer.path))
    )
    assert again.accepted[0].reason == "é “why”"


@quickly
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(0), max_size=5)
)
def test_any_paths_and_sizes_survive(layers: dict[str, int]) -> None:
    one = snapshot({path: (size, size + 1) for path, size in layers.items()})
    found = tomllib.loads(lock.text(locked(one)))["models"]["small"]
    assert found["metrics"] == dict(one.metrics)
    assert found["layers"] == {
        path: {"macs": size, "params": size + 1} for path, size in layers.items()
    }


def test_it_is_sorted_with_one_layer_a_line_and_nothing_that_changes_by_itself() -> None:
    many = {f"layer{n}": (n, n) for n in (10, 9, 1)}
    text = lock.text(locked(snapshot(many, model="b"), snapshot(many, model="a")))
    assert text == lock.text(locked(snapshot(many, model="a"), snapshot(many, model="b")))
    assert text.index("[models.a]") < text.index("[models.b]")
    lines = [line for line in text.splitlines() if line.startswith('"layer')]
    assert lines[:3] == [f'"layer{n}" = {{ macs = {n}, params = {n} }}' for n in (1, 9, 10)]
    metrics = tomllib.loads(text)["models"]["a"]["metrics"]
    assert all(one < other for one, other in pairwise(metrics))
    assert "version" not in text and "date" not in text


def test_layers_that_cost_nothing_are_left_out() -> None:
    assert '"relu"' not in lock.text(locked(snapshot({**LAYERS, "relu": (0, 0)})))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 2\n", "its schema is 2, and this dualcost reads 1"),
        ("", "its schema is None"),
        ("schema = 1\nmodel = 3\n", "no key is called 'model'"),
        ("schema = 1\n[models.a]\nmetrics = 3\n", "metrics is not a table"),
        ("schema = 1\n[models.a.metrics]\nmacs = 1.5\n", "macs = 1.5 is not a whole number"),
        ("schema = 1\n[models.a.layers]\nx = { mac = 1 }\n", "no key is called 'mac'"),
        ("schema = 1\n<<<<<<< ours\n=======\n>>>>>>> theirs\n", ":2: a merge conflict was left"),
        ("schema = \n", "line 1, column 10"),
    ],
)
def test_what_is_no_lock_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "dualcost.lock"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        lock.read(path)
    assert message in raised.value.message


def test_it_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(locked(snapshot()), tmp_path)
    before = path.read_bytes()

    def fails(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OutputError, match="No space left"):
        lock.write(locked(snapshot({"other": (1, 1)})), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["dualcost.lock"]


def test_what_is_out_of_date_is_named() -> None:
    now = {"small": snapshot(), "new": snapshot(model="new")}
    old = locked(snapshot({**LAYERS, "head": (51, 500)}), snapshot(model="gone"))
    assert lock.stale(old, now) == (
        "gone is no longer configured",
        "new is not in it",
        "small: flops, macs changed",
    )
    assert lock.stale(Lock(now), now) == ()


def test_moved_costs_are_out_of_date_even_where_the_totals_agree() -> None:
    old = snapshot({"a": (1, 2), "b": (3, 4)})
    new = snapshot({"a": (3, 4), "b": (1, 2)})
    assert lock.stale(locked(old), {"small": new}) == ("small: layers changed",)


@quickly
@given(*[st.integers(0, 100)] * 4)
def test_tightening_only_lowers(macs: int, params: int, new_macs: int, new_params: int) -> None:
    old, new = snapshot({"a": (macs, params)}), snapshot({"a": (new_macs, new_params)})
    found = lock.tightened(locked(old), {"small": new}).snapshots["small"]
    assert found.metrics == {
        name: min(value, new.metrics[name]) for name, value in old.metrics.items()
    }
    fell = new_macs <= macs and new_params <= params
    assert found.layers == (new.layers if fell else old.layers)


def test_tightening_adds_and_removes_no_model() -> None:
    old = locked(snapshot(model="gone"))
    assert lock.tightened(old, {"new": snapshot(model="new")}) == old


def test_a_model_on_another_input_cannot_be_compared() -> None:
    other = replace(snapshot(), inputs=("1x3x64x64",))
    assert lock.fits(snapshot(), other) == "its input was 1x3x32x32, and is 1x3x64x64"
    assert lock.fits(snapshot(), snapshot()) == ""
    assert lock.tightened(locked(snapshot()), {"small": other}) == locked(snapshot())


def test_an_acceptance_stands_as_long_as_its_number_does() -> None:
    old, new = snapshot({"a": (1, 1)}), snapshot({"a": (9, 1)})
    (found,) = lock.accepting(locked(new), locked(old), ["macs"], "wider")
    assert found == Acceptance("small", "macs", 1, 9, "wider")
    assert Lock({"small": new}, (found,)).standing == (found,)
    assert Lock({"small": old}, (found,)).standing == ()
    assert Lock({}, (found,)).standing == ()


def test_what_did_not_rise_cannot_be_accepted() -> None:
    with pytest.raises(UsageError, match="params did not rise"):
        lock.accepting(locked(snapshot()), locked(snapshot()), ["params"], "why not")
