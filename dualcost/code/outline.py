"""What a file of code offers, read without running it: classes, functions, and which make models.

A class makes models if it derives from something called Module, directly or by a base in the file;
a function, if it returns what such a class, or a function of another package, makes. A name that is
assigned to such a model is one, too. What another of these builds on is a part of it: of a file in
which only one is no part of another, the name of the file is enough.
"""

from __future__ import annotations

import ast
import copy
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dualcost.code.address import CODE, Address
from dualcost.errors import ModelError, UsageError

MODULE, LAYERS = "Module", "torch.nn."
INPUTS = "inputs"  # the function that makes the input of a file's models
# Packages whose functions return tensors and settings, but no models.
NO_MODELS = (*sys.stdlib_module_names, "torch", "numpy", "yaml")
# What stands in the types of parameters that can be said by a literal.
LITERAL = {
    *("int", "float", "bool", "str", "bytes", "tuple", "list", "dict", "set", "Any", "typing"),
    *("Tuple", "List", "Dict", "Optional", "Union", "Literal", "Sequence", "Mapping", "Iterable"),
}
SHOWN = 6  # names in a message

Definition = ast.FunctionDef | ast.ClassDef
Values = Mapping[str, Sequence[ast.expr]]  # what is assigned to each name


@dataclass(frozen=True)
class Offer:
    """One name that a user may write behind the file's.

    Attributes:
        name: of a class, of a function, or of a model that stands ready.
        about: the first line of its docstring.
        signature: how it is called, as the file has it: "UNet(channels, base=32)".
        word: what names it to dualcost: "UNet(channels=…)", or as the file itself calls it.
        bare: the name alone does: nothing has to be said in parentheses.
        model: it makes a model.
        uses: the names of the file that it builds on.
    """

    name: str
    about: str
    signature: str
    word: str
    bare: bool
    model: bool
    uses: frozenset[str]


@dataclass(frozen=True)
class Outline:
    """The public names of a file, in its order."""

    path: str
    offers: tuple[Offer, ...]

    @cached_property
    def models(self) -> tuple[Offer, ...]:
        """What makes a model that is no part of another; all that make one, if each is a part."""
        makers = self._makers
        used = {name for one in makers for name in one.uses - {one.name}}
        return tuple(one for one in makers if one.name not in used) or makers

    @cached_property
    def parts(self) -> tuple[Offer, ...]:
        """What makes a model that another builds on."""
        return tuple(one for one in self._makers if one not in self.models)

    @property
    def _makers(self) -> tuple[Offer, ...]:
        return tuple(one for one in self.offers if one.model)

    def address(self) -> str:
        """The only model of the file: "unet.py:UNet".

        Raises:
            ModelError: it has none, several, or one that takes arguments.
        """
        if len(self.models) == 1 and self.models[0].bare:
            return f"{self.path}:{self.models[0].name}"
        if not self.models:
            names = _listed([one.name for one in self.offers])
            raise ModelError(
                f"{self.path} has no class of modules, and no function that returns a model",
                f"write {self.path}:NAME for what makes one"
                + (f"; it has {names}" if names else ""),
            )
        one = "a model that takes arguments"
        what = f"{len(self.models)} models" if len(self.models) > 1 else one
        message = f"{self.path} has {what}: {_listed([one.signature for one in self.models])}"
        if self.parts:
            message += f"; built of {_listed([one.name for one in self.parts])}"
        words = [shlex.quote(f"{self.path}:{one.word}") for one in self.models]
        raise ModelError(message, f"write {_listed(words, 'or')}")


def outline(path: str) -> Outline:
    """Read a file.

    Raises:
        ModelError: there is no such file, or it is no Python.
    """
    try:
        tree = ast.parse(Path(path).read_bytes())
    except FileNotFoundError:
        raise ModelError(f"there is no file {path}", f"write path/to/file{CODE}:factory") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}", "name a file") from error
    except (SyntaxError, ValueError) as error:
        number = getattr(error, "lineno", None)
        line = f", line {number}" if number else ""
        raise ModelError(
            f"{path}{line} is no Python: {getattr(error, 'msg', error)}",
            "check that it runs in a Python of its own",
        ) from None
    return Outline(path, tuple(_Reader(tree).offers()))


def address(text: str) -> str:
    """The whole name of the only model of a file: "unet.py:UNet" of "unet.py".

    Raises:
        ModelError: the file cannot be read, or has no model, or several.
    """
    return outline(text.removesuffix(":")).address()


class _Reader:
    """The names of a file, and what they stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.defined = {one.name: one for one in tree.body if isinstance(one, Definition)}
        self.assigned = _assigned(tree.body)
        self.imported = dict(_imports(tree))
        self._asked: set[str] = set()  # names that are being looked at: they may go in a circle

    def offers(self) -> Iterator[Offer]:
        """Every public definition, and every public name of a model."""
        for name, node in self.defined.items():
            if not name.startswith("_"):
                yield self._offer(node)
        for name, values in self.assigned.items():
            if not name.startswith("_") and self.makes(name):
                yield Offer(name, "", name, name, True, True, self._read(values))

    def _offer(self, node: Definition) -> Offer:
        taken = node.args if isinstance(node, ast.FunctionDef) else self._constructor(node)
        required = _required(taken)
        blanks = f"{node.name}({', '.join(f'{one.arg}=…' for one in required)})"
        return Offer(
            name=node.name,
            about=(ast.get_docstring(node) or "").partition("\n")[0],
            signature=f"{node.name}({_plain(taken)})",
            word=(self._call(node.name) or blanks) if required else node.name,
            bare=not required,
            model=node.name != INPUTS and self.makes(node.name) and all(map(_sayable, required)),
            uses=self._read(node.body),
        )

    def _read(self, nodes: Sequence[ast.AST]) -> frozenset[str]:
        """The names of the file in some statements or expressions."""
        inside = (one for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name))
        return frozenset(one.id for one in inside) & (self.defined.keys() | self.assigned.keys())

    def _constructor(self, node: ast.ClassDef, seen: frozenset[str] = frozenset()) -> ast.arguments:
        """The parameters of a class: of its `__init__`, else of that of a base in the file."""
        for one in node.body:
            if isinstance(one, ast.FunctionDef) and one.name == "__init__":
                taken = copy.deepcopy(one.args)
                del (taken.posonlyargs or taken.args)[:1]  # self
                return taken
        for base in map(_dotted, node.bases):
            found = self.defined.get(base)
            if isinstance(found, ast.ClassDef) and base not in seen:
                return self._constructor(found, seen | {node.name, base})
        return ast.arguments([], [], None, [], [], None, [])

    def _call(self, name: str) -> str:
        """How the file calls a factory with literals, as a `__main__` block may; else ""."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _dotted(node.func) == name:
                try:
                    text = ast.unparse(node)
                    Address.parse(f":{text}")
                    return text
                except UsageError:
                    continue
        return ""

    def makes(self, name: str) -> bool:
        """Whether a definition makes models, or an assigned name is one."""
        if name in self._asked:
            return False
        self._asked.add(name)
        try:
            node = self.defined.get(name)
            if isinstance(node, ast.ClassDef):
                return any(self._is_class(base) for base in node.bases)
            if isinstance(node, ast.FunctionDef):
                return self._returns_model(node)
            return any(self._is_model(one, self.assigned) for one in self.assigned.get(name, ()))
        finally:
            self._asked.discard(name)

    def _is_class(self, node: ast.expr) -> bool:
        """Whether an expression names a class of modules."""
        if isinstance(node, ast.Constant) and str(node.value).isidentifier():  # an annotation
            node = ast.Name(str(node.value))
        name = self._whole(node)
        if isinstance(self.defined.get(name), ast.ClassDef):
            return self.makes(name)
        return name.endswith(MODULE) or name.startswith(LAYERS)

    def _returns_model(self, node: ast.FunctionDef) -> bool:
        if node.returns is not None and not self._is_foreign(node.returns):
            return self._is_class(node.returns)
        inside = [*ast.walk(node)]
        local = _assigned(inside)
        returned = (one.value for one in inside if isinstance(one, ast.Return))
        return any(value is not None and self._is_model(value, local) for value in returned)

    def _is_model(self, value: ast.expr, local: Values) -> bool:
        """Whether a model is the value of an expression: a call of what makes one, or its name."""
        if isinstance(value, ast.IfExp):
            return self._is_model(value.body, local) or self._is_model(value.orelse, local)
        if isinstance(value, ast.Name):
            others = {name: one for name, one in local.items() if name != value.id}
            return any(self._is_model(one, others) for one in local.get(value.id, ()))
        if not isinstance(value, ast.Call):
            return False
        maker = value.func
        if isinstance(maker, ast.Attribute):  # UNet().eval(), net.to(device)
            of = maker.value
            if isinstance(of, ast.Call) or (isinstance(of, ast.Name) and of.id in local):
                return self._is_model(of, local)
        defined = _dotted(maker).partition(".")[0]
        if defined in self.defined:
            return self.makes(defined)
        return self._is_class(maker) or self._is_foreign(maker)

    def _is_foreign(self, node: ast.expr) -> bool:
        """Whether an expression names something of another package, which may be about models."""
        imported = _dotted(node).partition(".")[0] in self.imported
        return imported and self._whole(node).partition(".")[0] not in NO_MODELS

    def _whole(self, node: ast.expr) -> str:
        """A name with its package: "torch.nn.Linear" of `nn.Linear`; "" of other expressions."""
        first, dot, rest = _dotted(node).partition(".")
        return f"{self.imported.get(first, first)}{dot}{rest}"


def _assigned(nodes: Sequence[ast.AST]) -> dict[str, list[ast.expr]]:
    """What statements assign to each name."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return found


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that is imported anywhere in a file, and what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                top = one.name.partition(".")[0]
                yield (one.asname, one.name) if one.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield one.asname or one.name, f"{node.module or ''}.{one.name}"


def _dotted(node: ast.expr) -> str:
    """The text of an expression that is a name with dots; "" of another."""
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def _required(taken: ast.arguments) -> list[ast.arg]:
    """The parameters without a default."""
    placed = [*taken.posonlyargs, *taken.args]
    named = zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
    return placed[: len(placed) - len(taken.defaults)] + [
        one for one, default in named if default is None
    ]


def _sayable(parameter: ast.arg) -> bool:
    """Whether a literal can say it, as far as its type tells."""
    inside = ast.walk(parameter.annotation) if parameter.annotation else ()
    return all(one.id in LITERAL for one in inside if isinstance(one, ast.Name))


def _plain(taken: ast.arguments) -> str:
    """Parameters without their types."""
    bare = copy.deepcopy(taken)
    for one in ast.walk(bare):
        if isinstance(one, ast.arg):
            one.annotation = None
    return ast.unparse(bare)


def _listed(names: Sequence[str], last: str = "and") -> str:
    """Names as in "a, b and c"; of many, how many more there are."""
    if len(names) > SHOWN:
        names = [*names[:SHOWN], f"{len(names) - SHOWN} more"]
    *others, end = names or [""]
    return f"{', '.join(others)} {last} {end}" if others else end
