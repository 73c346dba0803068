"""The user's cache of traces: where it lies, what is in it, and how it is cleared.

An entry is a file that `library` wrote, known by its name. Whatever else lies there is somebody
else's, and is neither listed nor removed.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from dualcost.errors import OutputError, TraceFileError
from dualcost.network import symbolic, tracefile

# NAME-DIGEST.jsonl.gz is a network, NAME-DIGEST-SYMBOLS.json.gz one with symbols in it
_NETWORK = re.compile(rf".+-[0-9a-f]{{16}}{re.escape(tracefile.SUFFIX)}")
_FORM = re.compile(rf".+-[0-9a-f]{{16}}-[A-Za-z-]+{re.escape(symbolic.SUFFIX)}")


@dataclass(frozen=True)
class Entry:
    """One network in the cache.

    Attributes:
        path: its file.
        network: its name; "" of a file that is damaged.
        inputs: what it was traced with, as text.
        symbols: its sizes are symbols.
        made: when, as ISO 8601 in UTC.
        nbytes: of the file.
        versions: of the libraries that traced it.
    """

    path: Path
    network: str
    inputs: tuple[str, ...]
    symbols: bool
    made: str
    nbytes: int
    versions: dict[str, str]

    @property
    def damaged(self) -> bool:
        """It cannot be read; `library` would make it anew."""
        return not self.network

    def matches(self, pattern: str) -> bool:
        """Whether its name, with or without its origin, or its file's name fits a glob."""
        forms = (self.network, self.network.partition(":")[2], self.path.name)
        return any(form and fnmatchcase(form, pattern) for form in forms)


def folder() -> Path:
    """Where traces are kept."""
    from platformdirs import user_cache_path

    return user_cache_path("dualcost") / "traces"


def entries() -> tuple[Entry, ...]:
    """All that is in the cache, by name; what another process removes meanwhile is left out.

    Raises:
        OutputError: the folder cannot be read.
    """
    try:
        found = [entry for path in sorted(folder().iterdir()) for entry in _entry(path)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OutputError(
            f"cannot read {folder()}: {error.strerror or error}", "look at its permissions"
        ) from error
    return tuple(sorted(found, key=lambda entry: (entry.network, entry.path.name)))


def clear(pattern: str = "*", *, dry: bool = False) -> tuple[Entry, ...]:
    """Remove the entries that fit a glob, and return them; with `dry` only return them.

    Raises:
        OutputError: one cannot be removed.
    """
    found = tuple(entry for entry in entries() if entry.matches(pattern))
    for entry in () if dry else found:
        try:
            entry.path.unlink(missing_ok=True)  # another process may be faster
        except OSError as error:
            raise OutputError(
                f"cannot remove {entry.path}: {error.strerror or error}", "look at its permissions"
            ) from error
    return found


def _entry(path: Path) -> Iterator[Entry]:
    """The entry that a file is, if it is one."""
    form = bool(_FORM.fullmatch(path.name))
    if not (form or _NETWORK.fullmatch(path.name)) or path.is_symlink() or not path.is_file():
        return
    try:
        facts = path.stat()
    except FileNotFoundError:
        return
    network, inputs, versions = _said(path, form)
    made = datetime.fromtimestamp(facts.st_mtime, UTC).isoformat(timespec="seconds")
    yield Entry(path, network, inputs, form, made, facts.st_size, versions)


def _said(path: Path, form: bool) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Name, inputs and versions; empty ones, if it is damaged."""
    try:
        if form:  # without its expressions, which take long to read
            document = json.loads(gzip.decompress(path.read_bytes()))
            network = document["network"]
            inputs = ("×".join(map(str, spec["shape"])) for spec in network["inputs"])
            return str(network["name"]), tuple(inputs), dict(network["versions"])
        header = tracefile.read_header(path)
    except (TraceFileError, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return "", (), {}
    return header.name, tuple(str(spec) for spec in header.inputs), dict(header.versions)
