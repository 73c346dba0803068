"""When the memory of a run is taken and when it is free again, op by op.

Memory is known by its storage, so views and in-place results take none. A storage is free when
the last Python variable that holds it, or a view of it, is gone: a weak reference to it tells.
Under fake tensors that happens exactly when it happens in a real run, and costs no memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


class Lifetimes:
    """Follows the memory of a run; what nobody made (inputs, weights, constants) is not counted."""

    def __init__(self) -> None:
        self._known: dict[int, StorageWeakRef] = {}
        # memory → the op that made it, and its place among that op's results
        self._maker: dict[int, tuple[int, int]] = {}
        self._made: dict[int, list[tuple[int, int]]] = {}

    def sweep(self, op: int) -> None:
        """Before an op runs: what is gone by now was freed before it."""
        # what is given is not asked: a weak reference keeps its address from being used again
        for memory in [memory for memory in self._maker if _gone(self._known[memory])]:
            del self._known[memory]
            maker, place = self._maker.pop(memory)
            nbytes, _ = self._made[maker][place]
            self._made[maker][place] = nbytes, op

    def read(self, tensors: Iterable[Tensor]) -> None:
        """What an op reads and nobody made is given."""
        for tensor in tensors:
            self._remember(tensor)

    def made(self, tensors: Iterable[Tensor], op: int) -> None:
        """What an op made: memory that is not known yet is its own."""
        for tensor in tensors:
            if self._remember(tensor):
                storage = tensor.untyped_storage()
                results = self._made.setdefault(op, [])
                self._maker[storage._cdata] = op, len(results)
                results.append((storage.nbytes(), -1))

    def of(self, op: int) -> tuple[tuple[int, int], ...]:
        """For each new result the bytes, and the op before which they were free (-1: never)."""
        return tuple(self._made.get(op, ()))

    def _remember(self, tensor: Tensor) -> bool:
        """Whether the memory of a tensor is new."""
        storage = tensor.untyped_storage()
        if storage._cdata in self._known:
            return False
        self._known[storage._cdata] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        return True


def _gone(storage: StorageWeakRef) -> bool:
    return bool(storage.expired())  # type: ignore[no-untyped-call]  # torch gives it no types
