"""Write the packaged traces anew: `python scripts/pack_traces.py [GLOB]`.

Run it when torch, torchvision, the zoo or the tracer change; tests/library/test_packaged.py, run
with `--all`, says when that is needed.
"""

from __future__ import annotations

import sys
import time
from fnmatch import fnmatchcase

from dualcost.library.networks import TRACES
from dualcost.network import tracefile
from dualcost.nn.sources.source import Source
from dualcost.nn.sources.sources import from_torchvision, from_zoo, torchvision_names
from dualcost.nn.zoo import ZOO


def sources(pattern: str) -> list[Source]:
    """Every network that is packaged and whose name matches."""
    return [
        *(from_zoo(name) for name in ZOO if fnmatchcase(name, pattern)),
        *(from_torchvision(name) for name in torchvision_names() if fnmatchcase(name, pattern)),
    ]


def main(pattern: str = "*") -> None:
    """Trace and write each of them."""
    for source in sources(pattern):
        start = time.perf_counter()
        network = source.trace()
        origin, _, name = source.name.partition(":")
        path = TRACES / origin / f"{name}{tracefile.SUFFIX}"
        tracefile.write(network, path)
        unknown = sorted({op.name for op in network.ops if op.group == "unknown"})
        print(
            f"{source.name:45} {time.perf_counter() - start:6.2f} s {path.stat().st_size:8,} B "
            f"{network.macs:18,} MACs {network.params:14,} params {' '.join(unknown)} "
            f"{'; '.join(network.notes)}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
