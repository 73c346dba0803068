"""The rows of a sweep on disk: CSV or JSON, one row a line, so that a file can be gone on with.

A file that was cut off (the machine went down) is read up to its last whole line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from dualcost.costs.metrics import COMPARED
from dualcost.errors import UsageError
from dualcost.search.sweep.rows import FAILED, Point, Swept
from dualcost.version import __version__

SCHEMA = 1
POINT = tuple(field.name for field in fields(Point))
COSTS = tuple(metric.key for metric in COMPARED.values())
RESULT = tuple(field.name for field in fields(Swept) if field.name not in ("point", "costs"))
_AFTER = RESULT.index("replaced") + 1  # where the costs stand
FIELDS = (*POINT, *RESULT[:_AFTER], *COSTS, *RESULT[_AFTER:])
WORDS = {
    "model", "size", "conv", "where", "indivisible", "bias", "but", "convention", "status",
    "reason", "input",
}  # fmt: skip
# the other fields are integers
FRACTIONS = {
    "macs_ratio",
    "params_ratio",
    "latency_lower_s",
    "latency_upper_s",
    *(metric.key for metric in COMPARED.values() if not metric.exact),
}


def record(row: Swept) -> dict[str, Any]:
    """A row as plain data, in the order of FIELDS."""
    values = {**vars(row.point), **vars(row), **row.costs}
    return {name: values[name] for name in FIELDS}


def row_of(values: dict[str, Any]) -> Swept:
    """The row of a record.

    Raises:
        KeyError, TypeError: it is not one.
    """
    point = Point(**{name: values[name] for name in POINT})
    costs = {key: values[key] for key in COSTS}
    return Swept(point, **{name: values[name] for name in RESULT}, costs=costs)


def csv_line(values: tuple[Any, ...]) -> str:
    """One line of comma-separated values; None is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow("" if v is None else v for v in values)
    return text.getvalue()


def csv_row(row: Swept) -> str:
    """A row as a line."""
    return csv_line(tuple(record(row).values()))


CSV_START = csv_line(FIELDS)


def json_start() -> str:
    """What stands before the rows; they follow one a line, with commas between them."""
    return f'{{"schema": {SCHEMA}, "versions": {{"dualcost": "{__version__}"}}, "rows": ['


JSON_END = "\n]}\n"


def json_row(row: Swept, first: bool) -> str:
    """A row as a line of its own, with the comma that parts it from the one before."""
    return ("" if first else ",") + "\n" + json.dumps(record(row), ensure_ascii=False)


def read(path: Path) -> tuple[Swept, ...]:
    """The rows that a file has; none, if there is no such file. What FAILED is left to be retried.

    Raises:
        UsageError: it is not a sweep that this dualcost can go on with.
    """
    try:
        text = path.read_bytes().decode()  # as it is: words may have ends of lines in them
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise _foreign(path, str(error)) from error
    if not text:
        return ()
    try:
        rows = tuple(_csv(text) if path.suffix == ".csv" else _json(text))
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(path, f"{type(error).__name__}: {error}") from error
    return tuple(row for row in rows if row.status != FAILED)


def _foreign(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is not a sweep that this dualcost can continue ({why})",
        "give a file that `dualcost sweep` wrote, or one that does not exist yet",
    )


def _csv(text: str) -> Iterator[Swept]:
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole))
    if tuple(reader.fieldnames or ()) != FIELDS:
        raise ValueError("other columns")
    for values in reader:
        yield row_of({name: _value(name, text) for name, text in values.items()})


def _value(name: str, text: str) -> Any:
    if name in WORDS:
        return text
    if not text:
        return None
    return float(text) if name in FRACTIONS else int(text)


def _json(text: str) -> Iterator[Swept]:
    lines = text.split("\n")
    if json.loads(f"{lines[0]}]}}").get("schema") != SCHEMA:
        raise ValueError("another schema")
    for line in lines[1:]:
        try:
            values = json.loads(line.removesuffix(","))
        except ValueError:
            return  # the end, or where the file was cut off
        yield row_of(values)
