"""The schemas that dualcost publishes for its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import dualcost

SCHEMA = json.loads(
    (Path(dualcost.__file__).parent / "render/check/check.schema.json").read_text(encoding="utf-8")
)
