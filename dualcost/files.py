"""Files written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualcost.errors import OutputError


def write_atomically(path: Path, content: bytes, *, make_folder: bool = False) -> None:
    """Replace a file in one step, or leave it as it was.

    Raises:
        OutputError: the file or its folder cannot be written.
    """
    with replacing(path, make_folder=make_folder) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, *, make_folder: bool = False) -> Iterator[Path]:
    """A file beside `path`, of the same ending, that takes its place if no error is raised.

    A device or a pipe (/dev/null, >(less)) is written to as it is: nothing could take its place.

    Raises:
        OutputError: the file or its folder cannot be written.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            yield path
            return
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            # mkstemp makes files private; a result is as public as any file the user makes
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "choose another file or folder"
        ) from error


def check_writable(path: Path) -> None:
    """Ask before long work whether its result could be written afterwards; nothing is left behind.

    Raises:
        OutputError: the folder is missing or cannot be written, or the path is a folder.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "choose another file or folder"
        ) from error
