"""How far a long command is, on standard error, where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dualcost.cli.output import announce

# advance by so many steps; say what is done now
Progress = tuple[Callable[[int], None], Callable[[str], None]]


@contextmanager
def watching(total: int, what: str) -> Iterator[Progress]:
    """A bar with an estimate of the time that is left; plain messages where nobody watches."""
    if not sys.stderr.isatty():
        yield (lambda steps: None), announce
        return
    from rich import progress

    from dualcost.render.terminal import terminal

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=terminal(stderr=True),
        transient=True,
        # rows that go to the same screen are shown above the bar, those that are piped stay so
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield (
            lambda steps: bar.advance(task, steps),
            lambda message: bar.update(task, description=message),
        )
