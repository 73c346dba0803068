"""What ran when a network ran once: ops, parameters and blocks, as plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from dualcost.errors import UsageError
from dualcost.network.site import ConvSite, Size
from dualcost.units import parse_size, size

# What an executed op is, coarse enough to add up. The first three are made of multiply-accumulates.
CONVOLUTION = "convolution"


LINEAR = "linear"


MATMUL = "matmul"  # products of two activations: attention, correlation


NORM = "norm"


ACTIVATION = "activation"


POOLING = "pooling"


RESIZE = "resize"


EMBEDDING = "embedding"


ELEMENTWISE = "elementwise"


FREE = "free"  # views, copies, constants: no arithmetic on activations


UNKNOWN = "unknown"


GROUPS = (
    CONVOLUTION,
    LINEAR,
    MATMUL,
    NORM,
    ACTIVATION,
    POOLING,
    RESIZE,
    EMBEDDING,
    ELEMENTWISE,
    FREE,
    UNKNOWN,
)


# What makes features of what it reads: with anything else between, a map is still the input.
LEARNED = (CONVOLUTION, LINEAR, MATMUL, EMBEDDING, UNKNOWN)


SEPARABLE = "separable"


INVERTED_RESIDUAL = "inverted-residual"


BLOCK_KINDS = (SEPARABLE, INVERTED_RESIDUAL)


@dataclass(frozen=True)
class TensorSpec:
    """One input of a network: its shape with the batch, its dtype, its keyword if it has one."""

    shape: Size
    dtype: str = "float32"
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> TensorSpec:
        """Read "[name=]1x3x224x224[:dtype]", or with "name:"; the shape as `parse_size` does.

        Raises:
            UsageError: the shape cannot be read.
        """
        name, equals, rest = text.partition("=")
        if not equals:
            name, rest = "", text
        first, colon, others = rest.partition(":")
        if not equals and colon and first.strip().isidentifier():
            name, equals, rest = first, colon, others
        shape, _, dtype = rest.partition(":")
        name = name.strip()
        if equals and not name.isidentifier():
            raise UsageError(
                f"{name!r} is not the name of an argument",
                "write name=1x77:int64, or leave name= out",
            )
        return cls(parse_size(shape), dtype.strip() or "float32", name)

    def batched(self, known: TensorSpec) -> TensorSpec:
        """With a batch of 1, if that is all that it lacks beside an input that is known.

        3×224×224 becomes 1×3×224×224 where an image of three channels is known.
        """
        lacks = len(self.shape) + 1 == len(known.shape) == 4 and self.shape[0] == known.shape[1]
        return replace(self, shape=(1, *self.shape)) if lacks else self

    @property
    def nbytes(self) -> int:
        """Memory that it takes; the name of a dtype tells the bits of an element."""
        bits = re.match(r"[a-z]+(\d+)", self.dtype)
        return prod(self.shape) * (int(bits[1]) // 8 if bits else 1)

    @property
    def word(self) -> str:
        """As `parse` reads it: "ids=1x77:int64"."""
        name = f"{self.name}=" if self.name else ""
        dtype = f":{self.dtype}" if self.dtype != "float32" else ""
        return f"{name}{'x'.join(map(str, self.shape))}{dtype}"

    def __str__(self) -> str:
        name = f"{self.name}=" if self.name else ""
        dtype = f" {self.dtype}" if self.dtype != "float32" else ""
        return f"{name}{size(self.shape)}{dtype}"


@dataclass(frozen=True)
class Parameter:
    """A tensor of the model, under the first name it has: trainable, or frozen, or a buffer."""

    name: str
    shape: Size
    trainable: bool = True
    itemsize: int = 4

    @property
    def numel(self) -> int:
        """Elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.numel * self.itemsize


@dataclass(frozen=True)
class Op:
    """One executed operation.

    Attributes:
        name: as torch calls it, such as "convolution".
        path: the module that it ran in.
        module: the type of that module.
        group: one of GROUPS.
        inputs: the ops that made its activations, -1 for what comes from outside (the network's
            inputs, buffers, constants).
        in_shapes: shapes of these.
        out_shapes: shapes of its results.
        macs: multiply-accumulates.
        parameters: the names of those it reads, weight first.
        site: what it is as a convolution.
        operations: elementary operations besides multiply-accumulates: comparisons, additions,
            divisions, function values.
        itemsize: bytes of an element of its result.
        memory: of each result with memory of its own (views and in-place ops have none) the bytes,
            and the first op before which they were free again; -1 if they outlived the run.
    """

    name: str
    path: str
    module: str
    group: str
    inputs: tuple[int, ...]
    in_shapes: tuple[Size, ...]
    out_shapes: tuple[Size, ...]
    macs: int = 0
    parameters: tuple[str, ...] = ()
    site: ConvSite | None = None
    operations: int = 0
    itemsize: int = 4
    memory: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Check the group, and that a convolution's MACs are those of its site.

        Raises:
            ValueError: with both values in the message.
        """
        if self.group not in GROUPS:
            raise ValueError(f"{self.path}: {self.group!r} is not one of {GROUPS}")
        if self.site is not None and self.site.macs != self.macs:
            raise ValueError(f"{self.path}: {self.macs} MACs, but its site has {self.site.macs}")

    @property
    def allocated(self) -> int:
        """Bytes of new memory for its results."""
        return sum(nbytes for nbytes, _ in self.memory)

    @property
    def channels(self) -> tuple[int | None, int | None]:
        """M and N of a convolution or a linear layer; None for what has no channels."""
        if self.site is not None:
            return self.site.M, self.site.N
        if self.group != LINEAR:
            return None, None
        return self.macs // prod(self.out_shapes[0]), self.out_shapes[0][-1]


@dataclass(frozen=True)
class Block:
    """Ops that one convolution may replace: their indices, first convolution to last.

    `site` is the convolution that would stand for them: M of the first, N of the last, and
    kernel, stride, padding and dilation of the depthwise one.
    """

    kind: str
    path: str
    module: str
    ops: tuple[int, ...]
    site: ConvSite


@dataclass(frozen=True)
class Network:
    """A network that ran once: the plain data on which everything else works."""

    name: str
    inputs: tuple[TensorSpec, ...]
    ops: tuple[Op, ...]
    parameters: tuple[Parameter, ...]
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()  # what was assumed to trace it
    buffers: tuple[Parameter, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    @cached_property
    def convolutions(self) -> tuple[int, ...]:
        """Indices of the convolutions, in the order in which they ran."""
        return tuple(i for i, op in enumerate(self.ops) if op.site is not None)

    @cached_property
    def first(self) -> frozenset[int]:
        """Indices of the convolutions that read the network's input.

        It may be reshaped, padded, resized or normalised on the way, but no op of LEARNED has seen
        any of what they read. Often there is one; a stem with branches has several.
        """
        constant, given, learned = range(3)
        stages: list[int] = []
        first = set()
        for index, op in enumerate(self.ops):
            read = [stages[source] if source >= 0 else given for source in op.inputs]
            # of what a convolution reads, the map stands before a weight that is computed
            if op.site is not None and read[:1] == [given]:
                first.add(index)
            stages.append(learned if op.group in LEARNED else max(read, default=constant))
        return frozenset(first)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Elements of each parameter by name."""
        return {parameter.name: parameter.numel for parameter in self.parameters}

    @property
    def macs(self) -> int:
        """All multiply-accumulates that were found, whatever a convention counts."""
        return sum(op.macs for op in self.ops)

    @property
    def params(self) -> int:
        """Elements of all parameters, each once."""
        return sum(self.sizes.values())

    def traffic(self, op: Op) -> int:
        """Bytes that an op reads and writes: inputs, parameters and outputs, each once.

        Elements are taken to be of the size of the result's.
        """
        if op.group == FREE:
            return 0
        maps = sum(prod(shape) for shape in (*op.in_shapes, *op.out_shapes))
        return op.itemsize * (maps + sum(self.sizes[name] for name in op.parameters))

    @cached_property
    def users(self) -> dict[str, tuple[int, ...]]:
        """For each parameter the indices of the ops that read it, in order; () if it never ran."""
        users: dict[str, list[int]] = {parameter.name: [] for parameter in self.parameters}
        for index, op in enumerate(self.ops):
            for name in op.parameters:
                users[name].append(index)
        return {name: tuple(indices) for name, indices in users.items()}
