"""The files that hold models, by their endings."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from dualcost.errors import OutputError, UsageError

EXPORTED, ONNX, PYTHON = ".pt2", ".onnx", ".py"
FORMATS = {
    EXPORTED: "exported program",
    ONNX: "ONNX",
    PYTHON: "Python",
}


def check_output(path: Path) -> str:
    """The ending that says how a model is written, if it can be.

    Raises:
        UsageError: no format has this ending, or what writes it is not installed.
        OutputError: there is no such folder.
    """
    if path.suffix not in FORMATS:
        raise UsageError(f"{path} does not say what to write", f"end it in {', '.join(FORMATS)}")
    if path.suffix == ONNX and not (find_spec("onnx") and find_spec("onnxscript")):
        raise UsageError("ONNX files need two more packages", "pip install 'dualcost[onnx]'")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no such folder", "choose another")
    return path.suffix
