"""A plan: a rewrite in a TOML file, with an exception for each layer that is something else.

    schema = 1
    kind = "dual"
    G = 4
    where = "default"
    but = [
      "path=layer1.0.conv2: keep",
      "path=layer4.2.conv2: dual G=8",
    ]
    indivisible = "refuse"
    bias = "keep"

`where`, `but`, `indivisible` and `bias` may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dualcost import toml as tomlfile
from dualcost.errors import UnknownNameError, UsageError
from dualcost.files import write_atomically
from dualcost.kinds.kinds import divisor_of, kind
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Bias, Indivisible, Request
from dualcost.rewrite.rule import Rule
from dualcost.toml import Section, quoted

SCHEMA = 1
SUFFIX = ".toml"
# what each key holds, and how that is called
KEYS: dict[str, tuple[type, str]] = {
    "schema": (int, "a whole number"),
    "kind": (str, "a text"),
    "G": (int, "a whole number"),
    "P": (int, "a whole number"),
    "where": (str, "a text"),
    "but": (list, "a list of texts"),
    "indivisible": (str, "a text"),
    "bias": (str, "a text"),
}


def write(rewrite: Request, path: Path, about: Iterable[str] = ()) -> None:
    """Write a rewrite as a plan, whole or not at all; `about` are single lines of comment.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, as_toml(rewrite, about).encode())


def as_toml(rewrite: Request, about: Iterable[str] = ()) -> str:
    """The text of a plan, which `read` makes the same rewrite of."""
    words = rewrite.words()
    lines = [f"# {line}" for line in about]
    lines += [f"schema = {SCHEMA}", f"kind = {quoted(words['conv'])}"]
    lines += [f"{letter} = {words[letter]}" for letter in ("G", "P") if letter in words]
    lines.append(f"where = {quoted(words.get('where', 'default'))}")
    if rewrite.exemptions:
        lines += ["but = [", *(f"  {quoted(text)}," for text in words["but"]), "]"]
    lines += [
        f"indivisible = {quoted(str(rewrite.indivisible))}",
        f"bias = {quoted(str(rewrite.bias))}",
    ]
    return "\n".join(lines) + "\n"


def read(path: str | Path) -> Request:
    """The rewrite of a plan.

    Raises:
        UsageError: there is no such file, it is no TOML, a key is missing or holds something else,
            or its words do not fit; with the line.
    """
    plan = Section.at(tomlfile.read(Path(path)), ())
    _check_keys(plan)
    document = plan.data
    with plan.located("kind"):
        chosen = kind(document["kind"])
        if chosen.letter and chosen.letter not in document:
            letter = chosen.letter
            raise UsageError(f"{chosen.name} needs {letter}", f"add a line {letter} = 4")
    given = {letter: document[letter] for letter in ("G", "P") if letter in document}
    with plan.located(next(iter(given), "kind")):
        divisor = divisor_of(chosen, **given)
    with plan.located("where"):
        rule = Rule.replacing(document.get("where", "default"))
    with plan.located("indivisible"):
        indivisible = Indivisible.parse(document.get("indivisible", "refuse"))
    exemptions = []
    for text in document.get("but", ()):
        with plan.located("but", text):
            exemptions.append(Exemption.parse(text, chosen))
    with plan.located("bias"):
        bias = Bias.parse(document.get("bias", "keep"))
    return Request(chosen, divisor, rule, indivisible, bias, tuple(exemptions))


def _check_keys(plan: Section) -> None:
    for key, value in plan.data.items():
        with plan.located(key):
            if key not in KEYS:
                raise UnknownNameError("key of a plan", key, KEYS, f"keys: {', '.join(KEYS)}")
            wanted, called = KEYS[key]
            texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
            # true is an integer for Python
            if not isinstance(value, wanted) or isinstance(value, bool) or not texts:
                raise UsageError(f"{key} is not {called}", f"write {called}")
    for key, hint in (("schema", f"schema = {SCHEMA}"), ("kind", 'kind = "dual"')):
        if key not in plan.data:
            raise UsageError(f"{plan.file.path}: {key} is missing", f"add a line {hint}")
    schema = plan.data["schema"]
    if schema != SCHEMA:
        raise plan.error("schema", f"schema {schema} is not known", f"this dualcost reads {SCHEMA}")
