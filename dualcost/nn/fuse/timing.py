"""Which of a few functions is fastest: the least time of each over interleaved rounds.

For a choice between forms of one layer, on the spot; it says nothing about a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import torch

WARM_UP = 2
ROUNDS = (5, 100)  # at least, at most
BUDGET_S = 0.2


def least_seconds(
    contenders: Mapping[str, Callable[[], Any]],
    device: torch.device | None = None,
    budget_s: float = BUDGET_S,
) -> dict[str, float]:
    """The least time that each took, in seconds; in every round each runs once, in turned order.

    Args:
        contenders: functions by name, called without arguments and without gradients.
        device: where they run; of a GPU, it is waited for.
        budget_s: after the fewest rounds, none starts later than this.
    """
    on_gpu = device is not None and device.type == "cuda"

    def seconds(run: Callable[[], Any]) -> float:
        start = perf_counter()
        run()
        if on_gpu:
            torch.cuda.synchronize(device)
        return perf_counter() - start

    with torch.inference_mode():
        for run in contenders.values():
            for _ in range(WARM_UP):
                seconds(run)
        least = dict.fromkeys(contenders, float("inf"))
        fewest, most = ROUNDS
        start = perf_counter()
        for number in range(most):
            if number >= fewest and perf_counter() - start > budget_s:
                break
            for name in [*contenders] if number % 2 else [*reversed([*contenders])]:
                least[name] = min(least[name], seconds(contenders[name]))
    return least
