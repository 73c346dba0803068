"""The pace of the processor, and what waits for a quiet one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat

import psutil
import pytest
import torch

from dualcost.lab.child.calibrate import ENOUGH, LEAST_OPS, Runs, in_passes, interleaved
from dualcost.lab.child.pace import FIRST, Pace
from dualcost.lab.measurement import QUIET


@pytest.fixture
def cores() -> Iterator[list[int]]:
    """The cores of this process, which stays where it was."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity"):
        yield []
        return
    allowed = process.cpu_affinity()
    yield list(allowed)
    process.cpu_affinity(allowed)


def telling(monkeypatch: pytest.MonkeyPatch, *times: float) -> Pace:
    """A pace whose product takes these times after the first, which took 1; then the last."""
    ends = chain(repeat(1.0, FIRST), times, repeat(times[-1]))
    clock = (ns for end in ends for ns in (0, round(end * 1e9)))
    monkeypatch.setattr(time, "thread_time_ns", lambda: next(clock))
    return Pace()


def test_a_product_takes_a_while_and_the_best_is_among_the_shortest() -> None:
    pace = Pace()
    told = [pace.tell() for _ in range(50)]
    assert pace.last == told[-1]
    assert 0 < pace.best <= sorted(told)[len(told) // 2]


def test_quiet_is_what_takes_little_longer_than_at_best(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = telling(monkeypatch, QUIET * 1.01, QUIET * 0.99)
    assert pace.quiet and pace.best == pytest.approx(1.0)
    pace.tell()
    assert not pace.quiet
    pace.tell()
    assert pace.quiet


def test_one_waits_until_it_is_quiet_and_not_a_moment_if_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = telling(monkeypatch, 2.0, 3.0, 1.5, 1.1, 5.0)
    pace.wait(time.monotonic() + 60)
    assert pace.last == pytest.approx(1.0)
    pace.tell()
    pace.wait(time.monotonic() + 60)
    assert pace.last == pytest.approx(1.1)


def test_one_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = telling(monkeypatch, 2.0)
    pace.tell()
    end = time.monotonic() + 0.05
    pace.wait(end)
    assert not pace.quiet and time.monotonic() >= end


def test_one_goes_to_another_core_and_stays_on_the_best(
    cores: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(cores) < 2:
        pytest.skip("there is one core, or it cannot be chosen")
    process, slow = psutil.Process(), cores[0]

    def run(self: Pace) -> float:
        self.last = 2.0 if process.cpu_affinity() == [slow] else 1.0
        return self.last

    monkeypatch.setattr(Pace, "_run", run)
    pace = Pace(cores[:2])
    assert process.cpu_affinity() == [cores[1]]
    process.cpu_affinity(cores[:1])
    pace.tell()
    pace.wait(time.monotonic() + 60)
    assert pace.quiet and process.cpu_affinity() == [cores[1]]
    slow = cores[1]
    pace.choose()
    assert process.cpu_affinity() == [cores[0]]


@dataclass
class Task:
    """Something to run; it has a quiet run at each `every`-th time."""

    every: int
    seconds: float = 0.0
    runs: list[float] = field(default_factory=list)

    def quiet_runs(self, pace: Pace) -> int:
        return len(self.runs) // self.every

    def run(self, pace: Pace, until: float) -> None:
        self.runs.append(until)
        time.sleep(self.seconds)


def passes(needed: list[Task], others: list[Task], budget_s: float) -> None:
    with torch.inference_mode():
        for _ in in_passes(needed, others, Pace(), time.monotonic(), budget_s):  # type: ignore[arg-type]  # they run as ops do
            pass


def test_all_are_run_until_they_had_enough_quiet() -> None:
    needed, others = [Task(1), Task(2)], [Task(1), Task(3)]
    passes(needed, others, 3600)
    assert [len(task.runs) for task in (*needed, *others)] == [
        ENOUGH * task.every for task in (*needed, *others)
    ]


def test_a_processor_that_is_never_quiet_leaves_time_for_the_others() -> None:
    tasks = [Task(10**9) for _ in range(LEAST_OPS)]
    start = time.monotonic()
    passes([], tasks, 0.2)
    assert all(task.runs for task in tasks[:-1])
    assert time.monotonic() - start < 5
    firsts = [task.runs[0] for task in tasks]
    assert firsts == sorted(firsts) and firsts[-1] - firsts[0] < 0.2


def test_what_is_needed_is_run_whatever_the_budget_is() -> None:
    needed, others = [Task(10**9, 0.01) for _ in range(5)], [Task(1)]
    passes(needed, others, 1e-9)
    assert [len(task.runs) for task in (*needed, *others)] == [1] * 5 + [0]


def test_runs_count_as_quiet_by_what_is_known_of_the_best_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace, runs = telling(monkeypatch, *[0.5] * FIRST), Runs()
    runs.add([4.0, 8.0], 1.0, 1.0)
    runs.add([3.0, 6.0], 0.5, 0.5)
    assert runs.quiet(pace) == 2
    for _ in range(FIRST):
        pace.tell()
    assert pace.best == pytest.approx(0.5)
    assert runs.quiet(pace) == 1
    assert runs.settled(pace) == pytest.approx([3.0, 6.0])


@pytest.mark.parametrize("tasks", [0, 1, 5, 400])
def test_visits_are_spread_over_the_time_and_none_is_left_out(tasks: int) -> None:
    done: list[int] = []
    visits = [partial(done.append, number) for number in range(10)]
    shares = []
    start = time.monotonic()
    for share in interleaved(visits, map(time.sleep, [0.002] * tasks), start, 0.4):
        shares.append((share, len(done)))
    assert done == [*range(10)]
    assert len(shares) == tasks
    # as many as are due, and not one early
    assert all(count <= 10 * share + 1 for share, count in shares)
    assert all(count >= min(10, int(10 * share)) for share, count in shares)
