"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dualcost.errors import OutputError


def write_atomically(path: Path, content: bytes, *, make_folder: bool = False) -> None:
    """Replace a file in one step, or leave it as it was.

    Raises:
        OutputError: the file or its folder cannot be written.
    """
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            # mkstemp makes files private; a result is as public as any file the user makes
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink()
            raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "choose another file or folder"
        ) from error
