"""Homes: the places in memory between which the weights of a model move while it is measured.

Which sets of a cache they share with activations, and with whatever else the machine does, follows
from their physical pages. Those stay for the life of a process, so that equal models differ by a
percent or two in one process, and by others in the next. In several homes they meet several.
"""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

ALIGNED = 64  # bytes, as torch aligns its own memory
SHIFTED = 2**21  # bytes, less than which a model lies from the beginning of a home: a large page
SEED = 0  # the same for all, so that equals lie alike


class Homes:
    """The homes of one model, in the processor's memory.

    Args:
        model: its parameters and buffers move; views and ties among them remain what they are.
        count: how many homes.
    """

    def __init__(self, model: nn.Module, count: int) -> None:
        tensors = [one for one in (*model.parameters(), *model.buffers()) if _moves(one)]
        storages = {one.untyped_storage().data_ptr(): one.untyped_storage() for one in tensors}
        starts: dict[int, int] = {}
        size = 0
        for address, storage in storages.items():
            starts[address] = size
            size += -(-storage.nbytes() // ALIGNED) * ALIGNED
        self._places = [
            (one, starts[one.untyped_storage().data_ptr()], one.storage_offset()) for one in tensors
        ]
        self._memory = torch.zeros(size, dtype=torch.uint8)
        for address, storage in storages.items():
            values = torch.empty(0, dtype=torch.uint8).set_(storage)
            self._memory[starts[address] :][: storage.nbytes()].copy_(values)
        self._homes = [
            torch.zeros(ALIGNED + SHIFTED + size, dtype=torch.uint8) for _ in range(count)
        ]
        self._random = random.Random(SEED)
        self._moved = 0

    def move(self) -> None:
        """Move the weights to the next home, and there to another place than the last time."""
        home = self._homes[self._moved % len(self._homes)]
        self._moved += 1
        start = -home.data_ptr() % ALIGNED + self._random.randrange(0, SHIFTED, ALIGNED)
        memory = home[start:][: len(self._memory)]
        memory.copy_(self._memory)
        self._memory = memory
        for tensor, at, offset in self._places:
            new = torch.empty(0, dtype=tensor.dtype)
            first = (start + at) // tensor.element_size() + offset
            tensor.data = new.set_(home.untyped_storage(), first, tensor.size(), tensor.stride())


def _moves(tensor: Tensor) -> bool:
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided
    return plain and tensor.device.type == "cpu" and tensor.numel() > 0
