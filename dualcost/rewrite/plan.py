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

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dualcost import toml as tomlfile
from dualcost.errors import UnknownNameError, UsageError
from dualcost.files import write_atomically
from dualcost.kinds.kinds import divisor_of, kind
from dualcost.rewrite.exemption import Exemption
from dualcost.rewrite.request import Indivisible, Rewrite
from dualcost.rewrite.rule import Rule
from dualcost.toml import TomlFile, quoted

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


def write(rewrite: Rewrite, path: Path, about: Iterable[str] = ()) -> None:
    """Write a rewrite as a plan, whole or not at all; `about` are single lines of comment.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, as_toml(rewrite, about).encode())


def as_toml(rewrite: Rewrite, about: Iterable[str] = ()) -> str:
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
        f"bias = {quoted(rewrite.bias)}",
    ]
    return "\n".join(lines) + "\n"


def read(path: str | Path) -> Rewrite:
    """The rewrite of a plan.

    Raises:
        UsageError: there is no such file, it is no TOML, a key is missing or holds something else,
            or its words do not fit; with the line.
    """
    file = tomlfile.read(Path(path))
    _check_keys(file)
    document = file.data
    with _at(file, "kind"):
        chosen = kind(document["kind"])
        if chosen.letter and chosen.letter not in document:
            letter = chosen.letter
            raise UsageError(f"{chosen.name} needs {letter}", f"add a line {letter} = 4")
    given = {letter: document[letter] for letter in ("G", "P") if letter in document}
    with _at(file, next(iter(given), "kind")):
        divisor = divisor_of(chosen, **given)
    with _at(file, "where"):
        rule = Rule.parse(document.get("where", "default"))
    with _at(file, "indivisible"):
        indivisible = Indivisible.parse(document.get("indivisible", "refuse"))
    exemptions = []
    for text in document.get("but", ()):
        with _at(file, "but", text):
            exemptions.append(Exemption.parse(text, chosen))
    with _at(file, "bias"):
        bias = document.get("bias", "keep")
        return Rewrite(chosen, divisor, rule, indivisible, bias, tuple(exemptions))


@contextmanager
def _at(file: TomlFile, key: str, text: str = "") -> Iterator[None]:
    """Errors are about this key, or about a text in the list that it holds."""
    try:
        yield
    except UsageError as error:
        start = file.line((key,))
        later = enumerate(file.text.splitlines()[start - 1 :], start)
        line = next((number for number, found in later if text and text in found), start)
        raise UsageError(f"{file.path}:{line}: {error.message}", error.hint) from error


def _check_keys(file: TomlFile) -> None:
    for key, value in file.data.items():
        with _at(file, key):
            if key not in KEYS:
                raise UnknownNameError("key of a plan", key, KEYS, f"keys: {', '.join(KEYS)}")
            wanted, called = KEYS[key]
            texts = not isinstance(value, list) or all(isinstance(one, str) for one in value)
            # true is an integer for Python
            if not isinstance(value, wanted) or isinstance(value, bool) or not texts:
                raise UsageError(f"{key} is not {called}", f"write {called}")
    for key, hint in (("schema", f"schema = {SCHEMA}"), ("kind", 'kind = "dual"')):
        if key not in file.data:
            raise UsageError(f"{file.path}: {key} is missing", f"add a line {hint}")
    if file.data["schema"] != SCHEMA:
        found = file.data["schema"]
        raise file.error(
            ("schema",), f"schema {found} is not known", f"this dualcost reads {SCHEMA}"
        )
