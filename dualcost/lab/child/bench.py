"""A race run: a fresh process that loads all contenders and lets them run in turn, round by round.

    python -P -m dualcost.lab.child.bench < race.json

What it says on standard output, one JSON object a line, is read by `lab.bench.run`:

    {"stage": …}                                        what it is about to do
    {"machine": …, "settings": …, "places": …, "notes": …}   once, before the first round
    {"rounds": [[[[ns of each segment], ns by the clock, interruptions], …], …],
     "elapsed_s": …, "spread": …}          by round and contender; the spread now and then
    {"ended": "target" or "budget"}
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import torch

from dualcost.lab.child.lanes import Lane, Loaded, lane
from dualcost.lab.child.pace import Pace
from dualcost.lab.child.quiet import quiet
from dualcost.lab.measurement import Run, Sample, spread
from dualcost.lab.race import Race
from dualcost.nn.here import here
from dualcost.process import Say, serve

LEAST_ROUNDS = 12  # before halves are compared
MOVED_EVERY = 4  # rounds: weights go to their next home, and one thread to the core of best pace
LEAST_S = 0.5  # of measuring before it may end: short forwards are slow at first
SAID_EVERY_S = 0.1  # rounds are said together: a forward right after finds the caches emptied
CHECKED_EVERY = 1.15  # the spread is looked at when there are so many times the rounds
NANOSECOND = 1e-9


def answer(request: Any, say: Say) -> None:
    """Run a race, and say what happens."""
    for event in events(Race.from_json(request)):
        say(event)


def events(race: Race) -> Iterator[dict[str, Any]]:
    """Load, warm up and run a race.

    Raises:
        ModelError: a contender cannot be built, converted or run.
        UnmeasuredError: there is no memory for it, or no compiler.
        UsageError: there is no GPU.
    """
    conditions = race.conditions
    machine = here(conditions.threads, conditions.device)
    settings = _settings(conditions.device)
    with torch.inference_mode():
        loaded = Loaded(conditions)
        for contender in race.contenders:
            yield {"stage": f"loading {contender.name}"}
            loaded.build(contender)
        lanes = [lane(loaded, contender, race) for contender in race.contenders]
        cores = quiet(conditions.threads)
        yield {"stage": "warming up"}
        notes = [note for note in (one.warm_up() for one in lanes) if note]
        ready = comparable(lanes)
        yield {
            "machine": machine.to_json(),
            "settings": settings,
            "ready": ready,
            "places": [lanes[index].places for index in ready],
            "notes": notes,
        }
        alone = conditions.device == "cpu" and conditions.threads == 1
        pace = Pace(cores) if alone else None
        yield from _rounds(race, [lanes[index] for index in ready], ready, pace)


def comparable(lanes: Sequence[Lane]) -> list[int]:
    """The lanes that run, of the modes whose first and whose control do."""
    firsts = {one.contender.mode: one for one in reversed(lanes)}
    needed = [*firsts.values(), *(one for one in lanes if one.contender.control)]
    gone = {one.contender.mode for one in needed if not one.ready}
    return [
        index for index, one in enumerate(lanes) if one.ready and one.contender.mode not in gone
    ]


def _settings(device: str) -> dict[str, Any]:
    """What else decides times: named in every result."""
    if device == "cpu":
        return {"flush_denormals": True, "pinned": hasattr(psutil.Process, "cpu_affinity")}
    torch.backends.cudnn.benchmark = True
    return {
        "cudnn_benchmark": True,
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_products": torch.backends.cuda.matmul.allow_tf32,
    }


def _rounds(
    race: Race, lanes: list[Lane], ready: list[int], pace: Pace | None
) -> Iterator[dict[str, Any]]:
    """Round after round, until the halves agree or the budget is spent."""
    samples: list[list[Sample]] = [[] for _ in lanes]
    start = said = time.perf_counter()
    least_s = min(LEAST_S, race.budget_s)
    least = max(LEAST_ROUNDS, MOVED_EVERY * race.homes)  # every home has been one
    check_at, unsaid, ended = least, 0, ""
    for count, order in enumerate(orders(len(lanes)), start=1):
        if count % MOVED_EVERY == 1:
            if pace is not None:
                pace.choose()
            for index in order:
                lanes[index].move()
        for index in order:
            samples[index].append(lanes[index].sample())
        now = time.perf_counter()
        unsaid += 1
        found = None
        if now - start >= race.budget_s and count > 1:
            ended = "budget"
        if (count >= check_at and now - start >= least_s) or ended:
            check_at = int(count * CHECKED_EVERY) + 1
            found = spread(_runs(race, lanes, ready, samples))
            if count >= least and found <= race.target:
                ended = "target"
        if found is not None or now - said >= SAID_EVERY_S:
            yield _as_event(samples, unsaid, now - start, found)
            said, unsaid = time.perf_counter(), 0
        if ended:
            yield {"ended": ended}
            return


def _as_event(
    samples: list[list[Sample]], last: int, elapsed_s: float, found: float | None
) -> dict[str, Any]:
    """The last rounds."""
    rounds = zip(*(taken[-last:] for taken in samples), strict=True)
    event: dict[str, Any] = {
        "rounds": [[_as_record(sample) for sample in one] for one in rounds],
        "elapsed_s": elapsed_s,
    }
    return event if found is None else {**event, "spread": found}


def _as_record(sample: Sample) -> list[Any]:
    segments = [round(seconds / NANOSECOND) for seconds in sample.segments_s]
    return [segments, round(sample.wall_s / NANOSECOND), sample.switches]


def _runs(
    race: Race, lanes: list[Lane], ready: list[int], samples: list[list[Sample]]
) -> list[Run]:
    return [
        Run(race.contenders[index], tuple(taken), tuple(one.places))
        for index, one, taken in zip(ready, lanes, samples, strict=True)
    ]


def orders(contenders: int, seed: int = 0) -> Iterator[list[int]]:
    """In which order they run, round by round: at random, and of three or more none twice in a row.

    What ran before decides what the caches hold. A contender that always followed the same one, or
    sometimes itself, would not have met what the others met. Of two, either follows itself as
    often as the other: taken in turns, one would always be the first of its round.
    """
    rng = random.Random(seed)
    order: list[int] = []
    while True:
        last = order[-1] if order else None
        order = rng.sample(range(contenders), contenders)
        while contenders > 2 and order[0] == last:
            rng.shuffle(order)
        yield order


if __name__ == "__main__":
    serve(answer)
