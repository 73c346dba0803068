"""The machine that a measurement ran on: processor, caches, torch's build, GPU, threads.

A time without its machine says nothing. A `Machine` stands in every measured result, and its
fingerprint tells whether a calibration was made here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from dualcost.errors import UsageError
from dualcost.units import memory

# What a time does not depend on, other things being equal.
NOT_FINGERPRINTED = ("cores", "memory_bytes")


class Device(StrEnum):
    """What of a machine runs a model."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True)
class Machine:
    """What is known of a machine and of the torch on it; "" and 0 stand for unknown or none.

    Attributes:
        processor: its name, such as "AMD EPYC".
        instructions: the vector instructions that torch uses, such as "AVX512".
        cores: how many cores this process may use.
        l1d_bytes: first-level data cache of one core.
        l2_bytes: second-level cache of one core.
        l3_bytes: last-level cache that a core sees.
        memory_bytes: memory of the whole machine.
        system: operating system and architecture, such as "Linux x86_64".
        torch: its version.
        onednn: the version of oneDNN in it; "" if torch was built without.
        device: "cpu" or "cuda".
        gpu: its name; "" where the processor computes.
        cuda: the version of CUDA that torch was built with, where a GPU computes.
        cudnn: the version of cuDNN, where a GPU computes.
        threads: how many torch computes with.
    """

    processor: str
    instructions: str
    cores: int
    l1d_bytes: int
    l2_bytes: int
    l3_bytes: int
    memory_bytes: int
    system: str
    torch: str
    onednn: str
    device: str
    gpu: str
    cuda: str
    cudnn: str
    threads: int

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of SHA-256 over all that a time depends on."""
        facts = {k: v for k, v in asdict(self).items() if k not in NOT_FINGERPRINTED}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Its facts by name, and the fingerprint."""
        return {**asdict(self), "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, document: Any) -> Machine:
        """Read what `to_json` made.

        Raises:
            UsageError: a fact is missing or of another type, or the fingerprint is another's.
        """
        if not isinstance(document, Mapping):
            raise _unreadable("it is no object")
        facts: dict[str, Any] = {}
        for field in fields(cls):
            kind = {"str": str, "int": int}[str(field.type)]
            value = document.get(field.name)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise _unreadable(f"{field.name!r} is {value!r}")
            if isinstance(value, int) and value < 0:
                raise _unreadable(f"{field.name!r} is {value}")
            facts[field.name] = value
        machine = cls(**facts)
        if document.get("fingerprint", machine.fingerprint) != machine.fingerprint:
            raise _unreadable("its fingerprint belongs to other facts")
        return machine

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        if self.gpu:
            return f"{self.gpu}, torch {self.torch}, CUDA {self.cuda}, cuDNN {self.cudnn}"
        caches = " / ".join(
            memory(nbytes) if nbytes else "?"
            for nbytes in (self.l1d_bytes, self.l2_bytes, self.l3_bytes)
        )
        onednn = f"oneDNN {self.onednn}" if self.onednn else "no oneDNN"
        shown = f"{self.processor} ({self.instructions})" if self.instructions else self.processor
        return f"{shown}, {threads}, caches {caches}, torch {self.torch}, {onednn}"

    def differences(self, other: Machine) -> tuple[str, ...]:
        """What a time depends on and is not the same there: "torch 2.15.0 is not 2.14.0"."""
        ours, theirs = asdict(self), asdict(other)
        return tuple(
            f"{name} {value or 'unknown'} is not {theirs[name] or 'unknown'}"
            for name, value in ours.items()
            if name not in NOT_FINGERPRINTED and value != theirs[name]
        )


def _unreadable(why: str) -> UsageError:
    return UsageError(f"the description of a machine cannot be read: {why}", "measure anew")
