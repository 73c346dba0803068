"""The second tier: tests that repeat at length what others show by examples, an eighth each day."""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime
from typing import Any

import pytest

MARK = "second_tier"
PARTS = 8

_waiting = pytest.StashKey[int]()


def is_due(node_id: str, day: date) -> bool:
    """Whether a test runs on this day: on one day of any eight that follow each other."""
    return (zlib.crc32(node_id.encode()) + day.toordinal()) % PARTS == 0


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("second tier")
    group.addoption("--all", action="store_true", help="run the whole second tier")
    # xdist hands the values of all options to its workers, so midnight does not divide them
    group.addoption(
        "--day",
        type=date.fromisoformat,
        default=datetime.now(UTC).date(),
        metavar="YYYY-MM-DD",
        help="run the part of the second tier that is due on this day (default: today, UTC)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}: runs on one day of {PARTS}, and with --all")
    config.stash[_waiting] = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    by_name = any("::" in argument for argument in config.args)
    if config.option.all or by_name:
        return
    day = config.option.day
    waiting = [i for i in items if i.get_closest_marker(MARK) and not is_due(i.nodeid, day)]
    config.stash[_waiting] = len(waiting)
    if waiting:
        config.hook.pytest_deselected(items=waiting)
        items[:] = [item for item in items if item not in set(waiting)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist tells how many wait; each of them has collected all tests."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[MARK] = session.config.stash[_waiting]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_waiting] = getattr(node, "workeroutput", {}).get(MARK, 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if waiting := config.stash[_waiting]:
        terminalreporter.write_line(
            f"{waiting} tests of the second tier wait for their day; `pytest --all` runs them"
        )
