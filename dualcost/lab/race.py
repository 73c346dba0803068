"""A race: which models run against each other, under which conditions, and when it ends.

Plain data: what is asked of a measuring process (`child/bench.py`), and what its result is read by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dualcost.errors import UsageError
from dualcost.latency.machine import Device
from dualcost.network.network import TensorSpec
from dualcost.rewrite.request import Request

EAGER, COMPILED, GRAPH = "eager", "compiled", "CUDA graph"
DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2}  # with their bytes
HOMES = 8  # places in memory between which weights move
HOMES_BYTES = 2**31  # of all homes of a race, at most, where there is as much


@dataclass(frozen=True)
class Variant:
    """A model's convolutions replaced.

    Attributes:
        request: what is replaced; None: nothing.
        implementation: how a kind runs that has several ways; of others it means nothing.
    """

    request: Request | None = None
    implementation: str = "grouped"

    def __str__(self) -> str:
        if self.request is None:
            return "as it is"
        several = self.request.kind.implementations
        return f"{self.request.label}, {self.implementation}" if several else self.request.label

    def to_json(self) -> dict[str, str]:
        """What `from_json` reads."""
        request = str(self.request) if self.request else ""
        return {"request": request, "implementation": self.implementation}

    @classmethod
    def from_json(cls, document: dict[str, str]) -> Variant:
        """Read what `to_json` made of one."""
        text = document["request"]
        return cls(Request.parse(text) if text else None, document["implementation"])


@dataclass(frozen=True)
class Contender:
    """One model in a race.

    Attributes:
        model: its name with the origin, such as "torchvision:resnet50".
        inputs: what it is run on.
        variant: what is replaced in it.
        mode: EAGER, COMPILED or GRAPH.
        control: it is a copy of the first one, to see what the race makes of equal models.
        macs: the multiply-accumulates of its products, as profiled.
        params: its parameters.
        weight_bytes: memory of its parameters and buffers.
        activation_bytes: memory of the activations that live at once, at their peak.
    """

    model: str
    inputs: tuple[TensorSpec, ...]
    variant: Variant = field(default_factory=Variant)
    mode: str = EAGER
    control: bool = False
    macs: int = 0
    params: int = 0
    weight_bytes: int = 0
    activation_bytes: int = 0

    @property
    def name(self) -> str:
        """What it is called: "torchvision:resnet50, dual G=4"."""
        return f"{self.model}, {self.variant}"

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        inputs = [asdict(spec) for spec in self.inputs]
        return {**vars(self), "inputs": inputs, "variant": self.variant.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Contender:
        """Read what `to_json` made of one."""
        inputs = tuple(TensorSpec(**{**i, "shape": tuple(i["shape"])}) for i in document["inputs"])
        variant = Variant.from_json(document["variant"])
        return cls(**{**document, "inputs": inputs, "variant": variant})


@dataclass(frozen=True)
class Conditions:
    """How every contender is run.

    Attributes:
        device: "cpu" or "cuda".
        threads: how many torch computes with.
        dtype: of weights and of floating-point inputs, one of DTYPES.
        channels_last: the memory format of weights and images.
        compile: run `torch.compile`d.
    """

    device: str = "cpu"
    threads: int = 1
    dtype: str = "float32"
    channels_last: bool = False
    compile: bool = False

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            UsageError: one does not fit.
        """
        if self.device not in tuple(Device):
            raise UsageError(f"no device is called {self.device!r}", "cpu or cuda")
        if self.dtype not in DTYPES:
            raise UsageError(f"{self.dtype!r} cannot be measured", f"one of {', '.join(DTYPES)}")
        if self.threads < 1:
            raise UsageError(f"{self.threads} threads cannot compute", "give --threads 1 or more")

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that every contender runs in."""
        first = COMPILED if self.compile else EAGER
        return (first, GRAPH) if self.device == "cuda" else (first,)

    @property
    def memory_format(self) -> str:
        """The memory format, as torch calls it."""
        return "channels_last" if self.channels_last else "contiguous"


@dataclass(frozen=True)
class Race:
    """What a measuring process is asked for.

    Attributes:
        contenders: the first of a mode is what the others of that mode are compared to.
        conditions: how each is run.
        target: it may end when its halves differ by less than this share of one.
        budget_s: seconds of measuring after which it ends anyway.
        by_layer: stamp every layer, and the gaps between them.
        homes_bytes: memory that the homes of all weights may take.
    """

    contenders: tuple[Contender, ...]
    conditions: Conditions = field(default_factory=Conditions)
    target: float = 0.02
    budget_s: float = 60.0
    by_layer: bool = False
    homes_bytes: int = HOMES_BYTES

    def __post_init__(self) -> None:
        """Check what a race needs.

        Raises:
            UsageError: a number does not fit, or layers are asked for where none can be timed.
        """
        if not 0 < self.target < 1:
            raise UsageError(f"a target of {self.target:.0%} cannot be met", "such as --target 2%")
        if self.budget_s <= 0:
            raise UsageError("a budget of no time measures nothing", "such as --budget 30s")
        if self.by_layer and self.conditions.modes != (EAGER,):
            raise UsageError(
                "only an eager model on the processor is timed layer by layer",
                "leave --layers out",
            )

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights of all contenders."""
        return sum(one.weight_bytes for one in self.contenders)

    @property
    def homes(self) -> int:
        """Between how many places in memory the weights of each move; 0 if they stay."""
        if self.conditions.modes != (EAGER,):
            return 0  # what is compiled or captured has them where they were
        count = min(HOMES, self.homes_bytes // max(self.weight_bytes, 1))
        return count if count > 1 else 0

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        contenders = [one.to_json() for one in self.contenders]
        return {**vars(self), "contenders": contenders, "conditions": asdict(self.conditions)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Race:
        """Read what `to_json` and JSON made of one."""
        contenders = tuple(Contender.from_json(one) for one in document["contenders"])
        conditions = Conditions(**document["conditions"])
        return cls(**{**document, "contenders": contenders, "conditions": conditions})


def variants(requests: Sequence[Request], implementations: Sequence[str] = ()) -> Iterator[Variant]:
    """A variant of each request; several, if its kind runs in those ways.

    Raises:
        UsageError: no kind of them runs in several ways.
    """
    several = any(request.kind.implementations for request in requests)
    if implementations and not several:
        raise UsageError("--het says how het runs, but there is none", "add --conv het:4")
    for request in requests:
        if request.kind.implementations and implementations:
            yield from (Variant(request, implementation) for implementation in implementations)
        else:
            yield Variant(request)


def field_of(contenders: Sequence[Contender], modes: Sequence[str]) -> Iterator[Contender]:
    """Every contender in every mode, and for each mode a control: the first once more."""
    for mode in modes:
        yield from (replace(one, mode=mode) for one in contenders)
        yield replace(contenders[0], mode=mode, control=True)
