"""The rows of a sweep on their way out, each as soon as it is known: to the screen or a file."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from dualcost.cli.output import ENDINGS, Form, Target, announce
from dualcost.errors import UsageError
from dualcost.files import write_atomically

if TYPE_CHECKING:
    from dualcost.cli.options import Output
    from dualcost.costs.metrics import Metric
    from dualcost.search.sweep.rows import Swept


def destination(out: Output, resume: Path | None) -> Target:
    """The form of the rows, and their file: that of --resume, or of -o.

    Raises:
        UsageError: two forms or two files are asked for, or a file that cannot be gone on with.
        OutputError: the file cannot be written.
    """
    if resume is None:
        return out.target
    if out.output is not None:
        raise UsageError(
            "--resume goes on with its own file, and --output names another",
            "leave one of them out",
        )
    forms = (Form.CSV, Form.JSON)
    endings = {ending: form for form in forms for ending in ENDINGS[form]}
    form = endings.get(resume.suffix)
    said = Form.JSON if out.json else out.format
    if form is None or said not in ("", form):
        raise UsageError(
            f"a sweep cannot be gone on with in {resume}",
            "give a .csv or .json file, and the form that its ending says",
        )
    return Target(form, resume)


class Stream:
    """Where rows go; it is closed properly when the work ends, is interrupted, or fails.

    With `front`, the two metrics of a Pareto front, rows are held back until the end, and those
    on the front are written then.
    """

    def __init__(
        self,
        target: Target,
        resume: Path | None = None,
        front: tuple[Metric, Metric] | None = None,
        latency: bool = False,
    ) -> None:
        from dualcost.search.sweep import file as sweepfile
        from dualcost.search.sweep.rows import DONE

        self.form = target.form
        self.path = target.path
        self.front = front
        self.latency = latency
        # a latency that was not asked for then is a reason to run a point again
        self.resumed: tuple[Swept, ...] = tuple(
            row
            for row in (sweepfile.read(resume) if resume else ())
            if not latency or row.status != DONE or row.latency_s is not None
        )
        self._statuses: Counter[str] = Counter()
        self._held: list[Swept] = []
        self._written = 0
        self._file: TextIO = sys.stdout

    def __enter__(self) -> Stream:
        if self.form is Form.TABLE:
            from dualcost.render.sweep.rows import Table

            self._table = Table(self.latency)
        start = self._start() + "".join(map(self._text, self.resumed))
        if self.path is None:
            self._put(start)
        else:
            write_atomically(self.path, start.encode())
            self._file = self.path.open("a", encoding="utf-8", newline="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, BrokenPipeError):
            return  # nobody reads any more
        if self.front:
            self._release(self.front)
        self._put(self._end())
        if self.path is not None:
            self._file.close()
        self._report(interrupted=isinstance(error, KeyboardInterrupt))

    def add(self, row: Swept) -> None:
        """Write a row, or hold it back for the front."""
        self._statuses[row.status] += 1
        if self.front:
            self._held.append(row)
        else:
            self._put(self._text(row))

    def _put(self, text: str) -> None:
        if text:
            # sys.stdout is looked up anew: a bar of progress puts itself in its place
            file = sys.stdout if self.path is None else self._file
            file.write(text)
            file.flush()

    def _start(self) -> str:
        from dualcost.search.sweep import file as sweepfile

        if self.form is Form.JSON:
            return sweepfile.json_start()
        if self.form is Form.CSV:
            return sweepfile.CSV_START
        if self.form is Form.MARKDOWN:
            from dualcost.render.sweep.rows import markdown_start

            return markdown_start(self.latency)
        return ""

    def _text(self, row: Swept) -> str:
        from dualcost.search.sweep import file as sweepfile

        self._written += 1
        if self.form is Form.JSON:
            return sweepfile.json_row(row, first=self._written == 1)
        if self.form is Form.CSV:
            return sweepfile.csv_row(row)
        from dualcost.render.sweep import rows as sweep

        if self.form is Form.MARKDOWN:
            return sweep.markdown_row(row, self.latency)
        from rich.console import Group

        from dualcost.render.terminal import as_text

        return as_text(lambda width: Group(*self._table.lines(row, width)), self.path)

    def _end(self) -> str:
        from dualcost.search.sweep import file as sweepfile

        return sweepfile.JSON_END if self.form is Form.JSON else ""

    def _release(self, front: tuple[Metric, Metric]) -> None:
        from dualcost.search.sweep.rows import FAILED, fronts

        kept = set(fronts(self._held, *front))
        for row in self._held:
            if row in kept or row.status == FAILED:
                self._put(self._text(row))

    def _report(self, interrupted: bool) -> None:
        """What became of the points, on standard error, if that is not plain to see."""
        from dualcost.render.sweep.rows import summary
        from dualcost.search.sweep.rows import DONE, FAILED, UNFIT

        counts = [self._statuses[status] for status in (DONE, UNFIT, FAILED)]
        kept = f", {len(self.resumed)} kept from before" if self.resumed else ""
        where = f", written to {self.path}" if self.path else ""
        if self.path or interrupted or any(counts[1:]):
            announce(f"{summary(*counts)}{kept}{where}")
