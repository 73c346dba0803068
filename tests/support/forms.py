"""What the tests of closed forms share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dualcost.costs.profile import profile
from dualcost.kinds.kinds import KINDS
from dualcost.network.expression import symbol
from dualcost.network.network import Network
from dualcost.rewrite.request import Request

B, G, H, W = map(symbol, "BGHW")


def asked_for(kind: str, where: str, divisor: int | None = None) -> Request:
    """A request whose G or P is open, or this number."""
    request = Request.parse(kind, where=where, open=True)
    return request.at(divisor or 1) if divisor or not KINDS[kind].letter else request


def counts(network: Network, asked: Request | None) -> tuple[int, int]:
    after = profile(network, asked).after
    return after.macs, after.params


def run_alone(folder: Path, source: str, calls: Sequence[Mapping[str, float]]) -> list[object]:
    """What the functions of a source return, in a Python that has no other module than its own."""
    (folder / "cost.py").write_text(source)
    script = (
        "import json, sys, cost\n"
        "found = []\n"
        f"for sizes in {calls!r}:\n"
        "    try:\n"
        "        found.append([cost.macs(**sizes), cost.params(**sizes)])\n"
        "    except ValueError as error:\n"
        "        found.append(str(error))\n"
        "assert not {'dualcost', 'sympy'} & set(sys.modules)\n"
        "print(json.dumps(found))\n"
    )
    # -S and -I: no site-packages, so that dualcost cannot be imported
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", f"import sys; sys.path.append('.')\n{script}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[object] = json.loads(done.stdout)
    return found
