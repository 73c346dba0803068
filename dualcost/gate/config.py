"""The budgets that a repository keeps: [tool.dualcost] of pyproject.toml, or dualcost.toml.

Everything is checked when it is read, and what does not fit is named with its line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualcost import toml as tomlfile
from dualcost.errors import UnconfiguredError, UnknownNameError, UsageError
from dualcost.gate import limit, metrics
from dualcost.gate.limit import OFF, Allowance, LayerLimits, Limit
from dualcost.network.cost import convention as named_convention
from dualcost.network.network import TensorSpec
from dualcost.rewrite import plan
from dualcost.rewrite.request import Request
from dualcost.rewrite.subject import Subject
from dualcost.toml import Key, Section, TomlFile

SCHEMA = 1
FILES = ("dualcost.toml", "pyproject.toml")
BASELINE = "dualcost.lock"
# Of a model, as its process is told it: what is text already.
SENT = ("name", "target", "plan", "example", "rules", "convention")
REWRITE_WORDS = ("conv", "G", "P", "where", "but", "indivisible", "bias")
MODEL_KEYS = (
    *("target", "rewrite", "plan", "input", "inputs", "rules", "convention", "budget", "layer"),
)


@dataclass(frozen=True)
class Model:
    """One model that is checked.

    Attributes:
        name: as the configuration calls it.
        target: what `dualcost profile` would be given.
        rewrite: what is replaced in it; None: nothing.
        plan: the plan file that says so, relative to the configuration's folder; "" without.
        inputs: what it is traced with; () takes what is known.
        example: a factory of inputs, in the place of `inputs`.
        rules: a file of rules by which it is traced.
        convention: what is counted.
        limits: of the whole model.
        layers: of some of its layers.
        line: where it stands.
    """

    name: str
    target: str
    rewrite: Request | None
    plan: str
    inputs: tuple[TensorSpec, ...]
    example: str
    rules: str
    convention: str
    limits: tuple[Limit, ...]
    layers: tuple[LayerLimits, ...]
    line: int

    @property
    def references(self) -> tuple[str, ...]:
        """The other targets that its reductions are measured against."""
        return tuple(dict.fromkeys(limit.against for limit in self.limits if limit.against))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads; limits of its layers and lines are no part of it."""
        return {
            **{name: getattr(self, name) for name in SENT},
            "rewrite": str(self.rewrite) if self.rewrite else None,
            "inputs": [spec.word for spec in self.inputs],
            "limits": [one.to_json() for one in self.limits],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Model:
        """Read what `to_json` made."""
        rewrite = document["rewrite"]
        return cls(
            **{name: document[name] for name in SENT},
            rewrite=Request.parse(rewrite) if rewrite else None,
            inputs=tuple(TensorSpec.parse(word) for word in document["inputs"]),
            limits=tuple(Limit.from_json(one) for one in document["limits"]),
            layers=(),
            line=0,
        )


@dataclass(frozen=True)
class Config:
    """All that is checked.

    Attributes:
        path: the file that says so; None: a command does (`terms`).
        baseline: the lock file.
        models: in the order of the file.
        ratchet: how much they may grow.
        whole: no model of the file is left out.
        folder: where targets and plans are, without a file.
    """

    path: Path | None
    baseline: Path
    models: tuple[Model, ...]
    ratchet: tuple[Allowance, ...]
    whole: bool = True
    folder: Path = Path()

    @property
    def root(self) -> Path:
        """The folder that targets and plans are relative to."""
        return self.path.parent if self.path else self.folder

    def at(self, line: int) -> str:
        """How messages about a line begin: "dualcost.toml:3: "; "" without a file."""
        return f"{self.path}:{line}: " if self.path else ""

    @property
    def place(self) -> str:
        """The file as a code host names it: from the top of the repository, if it is in one."""
        if self.path is None:
            return ""
        whole = self.path.resolve()
        tops = (folder for folder in whole.parents if (folder / ".git").exists())
        top = next(tops, None)
        return (whole.relative_to(top) if top else self.path).as_posix()

    def only(self, names: tuple[str, ...]) -> Config:
        """The same with some of the models; all, if none is named.

        Raises:
            UnknownNameError: there is no model of that name.
        """
        known = [model.name for model in self.models]
        for name in names:
            if name not in known:
                raise UnknownNameError("model", name, known, f"{self.path} has {', '.join(known)}")
        if not names:
            return self
        chosen = tuple(model for model in self.models if model.name in names)
        return replace(self, models=chosen, whole=False)


def find(folder: Path = Path()) -> Path:
    """The configuration of a folder, or of the nearest one above it.

    Raises:
        UnconfiguredError: there is none.
    """
    for place in (folder, *folder.resolve().parents):
        for name in FILES:
            if configured(place / name):
                return place / name
    raise UnconfiguredError(
        "no budgets are configured: there is no [tool.dualcost] in a pyproject.toml, and no "
        "dualcost.toml",
        "`dualcost init MODEL` measures a model and writes its budgets",
    )


def configured(path: Path) -> bool:
    """Whether a file is there, and has budgets.

    Raises:
        UsageError: it is malformed.
    """
    return path.is_file() and (path.name != "pyproject.toml" or bool(_section(tomlfile.read(path))))


def _section(file: TomlFile) -> Key:
    """Where the configuration stands in a file; () is the whole file."""
    tool = file.data.get("tool")
    return ("tool", "dualcost") if isinstance(tool, dict) and "dualcost" in tool else ()


def read(path: Path) -> Config:
    """Read and check a configuration.

    Raises:
        UsageError: it is malformed, or something in it does not fit; the message has the line.
    """
    file = tomlfile.read(path)
    if path.name == "pyproject.toml" and not _section(file):
        raise UsageError(f"{path} has no [tool.dualcost]", "`dualcost init MODEL` writes one")
    whole = Section.at(file, _section(file))
    whole.only("schema", "baseline", "models", "ratchet")
    schema = whole.number("schema", SCHEMA)
    if schema != SCHEMA:
        raise whole.error(
            "schema", f"schema {schema} is not known", f"this dualcost reads schema {SCHEMA}"
        )
    models = whole.table("models")
    if not models.data:
        raise whole.error(
            "models", "no model is configured", "add one: [tool.dualcost.models.NAME]"
        )
    ratchet = whole.table("ratchet")
    allowances = (limit.read_allowance(ratchet, name) for name in ratchet.data)
    return Config(
        path=path,
        baseline=path.parent / whole.text("baseline", BASELINE),
        models=tuple(_model(models.table(name), name) for name in models.data),
        ratchet=tuple(allowance for allowance in allowances if allowance.level != OFF),
    )


def _model(table: Section, name: str) -> Model:
    table.only(*MODEL_KEYS)
    if not table.text("target"):
        raise table.error("", f"the model {name} has no target", 'add target = "torchvision:…"')
    for one, other in (("rewrite", "plan"), ("input", "inputs")):
        if one in table.data and other in table.data:
            raise table.error(other, f"{one} and {other} cannot be given together", "leave one out")
    with table.located("input"):
        inputs = tuple(TensorSpec.parse(text) for text in table.texts("input"))
    with table.located("convention"):
        convention = named_convention(table.text("convention", "torch")).name
    subject = _subject(table)
    return Model(
        name=name,
        target=subject.model,
        rewrite=subject.request,
        plan=table.text("plan"),
        inputs=inputs,
        example=table.text("inputs"),
        rules=table.text("rules"),
        convention=convention,
        limits=tuple(limit.read_limits(table.table("budget"), metrics.NAMES)),
        layers=tuple(limit.read_layer_limits(layer) for layer in table.tables("layer")),
        line=table.file.line(table.key),
    )


def _subject(table: Section) -> Subject:
    """The model, and what is replaced in it: in its target, in `rewrite` or in `plan`."""
    target = table.text("target")
    if "plan" in table.data:
        with table.located("plan"):
            return Subject(target, plan.read(table.file.path.parent / table.text("plan")))
    if "rewrite" not in table.data:
        with table.located("target"):
            return Subject.parse(target)
    if isinstance(table.data["rewrite"], str):
        with table.located("rewrite"):
            return Subject.parse(target, table.text("rewrite"))
    words = table.table("rewrite")
    words.only(*REWRITE_WORDS)
    with table.located("rewrite"):
        return Subject.parse(
            target,
            words.text("conv"),
            words.number("G"),
            words.number("P"),
            words.text("where", "default"),
            words.text("indivisible", "refuse"),
            words.text("bias", "keep"),
            words.texts("but"),
        )
