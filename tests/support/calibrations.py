"""A calibration whose times are a sum of constants: predictions can be done by hand."""

from __future__ import annotations

from typing import Any

from dualcost.latency.calibration import FORMATS, Calibration, Pair
from dualcost.latency.machine import Machine
from dualcost.latency.regression import TERMS, Curve
from dualcost.latency.workload import CONVOLUTIONS
from dualcost.network.ops import VIEW

MACHINE = Machine(
    processor="A processor",
    instructions="AVX512",
    cores=2,
    l1d_bytes=48 * 2**10,
    l2_bytes=2**20,
    l3_bytes=32 * 2**20,
    memory_bytes=2**34,
    system="Linux x86_64",
    torch="2.15.0",
    onednn="3.13.3",
    device="cpu",
    gpu="",
    cuda="",
    cudnn="",
    threads=1,
)


OTHERS = [
    "relu_",
    "relu",
    "hardswish_",
    "silu_",
    "sigmoid",
    "gelu",
    "add",
    "add_",
    "scale",
    "batch_norm",
    "layer_norm",
    "max_pool",
    "avg_pool",
    "mean",
    "softmax",
    "cat",
    "copy",
    "shuffle",
    "nearest",
    "bilinear",
    "matmul",
]


PER_CALL, PER_MAC, PER_ELEMENT, PER_WEIGHT = 2e-6, 1e-11, 1e-10, 3e-10


CALL_S = 5e-6


def curve(width: int, *, per_weight: float = 0.0, spread: float = 0.1) -> Curve:
    """Seconds by the constants above, corrected by nothing."""
    known = {
        "call": PER_CALL,
        "macs": PER_MAC,
        "read": PER_ELEMENT,
        "written": PER_ELEMENT,
        "weights": per_weight,
    }
    coefficients = tuple(known.get(term, 0.0) for term in TERMS)
    return Curve(coefficients, ((0.0,) * width,), (0.0,), (1.0,) * width, 0.0, spread, spread)


def linear_calibration(**words: Any) -> Calibration:
    curves = {
        **{
            name: Pair(curve(8), curve(8, per_weight=PER_WEIGHT))
            for name in CONVOLUTIONS
            if name != "transposed"
        },
        **{name: Pair(curve(4), curve(4, per_weight=PER_WEIGHT)) for name in ("row", "linear")},
        **{name: Pair(curve(4), curve(4)) for name in (*OTHERS, VIEW)},
    }
    plain: dict[str, Any] = {
        "machine": MACHINE,
        "date": "2026-01-02T03:04:05+00:00",
        "version": "0.1.0",
        "macs_per_s": 1e11,
        "bytes_per_s": 1e10,
        "slowdown": {"contiguous": 1.0, "channels_last": 1.0},
        "call_s": {"contiguous": CALL_S, "channels_last": 2 * CALL_S},
        "curves": dict.fromkeys(FORMATS, curves),
    }
    return Calibration(**{**plain, **words})
