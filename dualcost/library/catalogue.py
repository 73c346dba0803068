"""Which networks have a name, and every way to write one: in files, without importing a library.

resnet50, ResNet-50                         a bare name; case, hyphens and underscores are alike
torchvision:resnet50, torchvision/resnet50, torchvision.models.resnet50
timm:NAME, timm/NAME, hf-hub:timm/NAME      a tag stays: resnet50.a1_in1k is trained on its own size
zoo:NAME                                    the paper's networks
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from dualcost.code import outline
from dualcost.code.address import Address, is_file
from dualcost.errors import UnknownNameError
from dualcost.network.tracefile import SUFFIX
from dualcost.nn.formats import EXPORTED
from dualcost.spelling import plain

TRACES = Path(__file__).parent / "traces"
ORIGINS = ("zoo", "torchvision")  # a bare name is looked for in this order
LIBRARIES = (*ORIGINS, "timm")  # what a name may begin with
# what each calls its models, and where all of them are shown ("": with the message)
CALLED = {
    "zoo": ("network of the zoo", ""),
    "torchvision": ("model of torchvision", "`dualcost list` shows all"),
    "timm": ("model of timm", "see timm.list_models()"),
}
_REGISTERED = re.compile(
    rb'^@register_model(?:\((?:name="(\w+)")?\))?\n(?:(?!def ).*\n)*?def (\w+)', re.MULTILINE
)


def names(origin: str) -> tuple[str, ...]:
    """The networks of one origin whose traces are packaged."""
    found = (TRACES / origin).glob(f"*{SUFFIX}")
    return tuple(sorted(path.name.removesuffix(SUFFIX) for path in found))


@cache
def registered(library: str) -> tuple[str, ...]:
    """The models that an installed library registers, read from its code; () of any other."""
    # the zoo is no module, and what is not installed has no code
    spec = find_spec(library) if library in LIBRARIES else None
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = (path for folder in folders for path in Path(folder, "models").rglob("*.py"))
    found = (match for path in files for match in _REGISTERED.findall(path.read_bytes()))
    return tuple(sorted((named or function).decode() for named, function in found))


def resolve(model: str) -> tuple[str, str]:
    """The origin and the name of what a user writes; ("", …) for code, or an exported model.

    Raises:
        UnknownNameError: it is neither a known name nor code.
        UsageError: it is no code that could be named.
        ModelError: it is a file of code, which has no model or several.
    """
    if is_file(model):
        return "", outline.address(model)
    if model.endswith(EXPORTED):
        return "", model
    origin, name = _parted(model)
    if not origin and ":" in model:
        return "", str(Address.parse(model))
    # only timm's names have tags
    searched = (origin,) if origin else (*ORIGINS, *(["timm"] if "." in name else []))
    for one in searched:
        found = _spelt(name, names(one), one) or _spelt(name, registered(one), one)
        if found:
            return one, found
    if origin and not (names(origin) or registered(origin)):
        return origin, name  # who would build it knows its names, or says what is missing
    raise _unknown(origin, name)


def _parted(model: str) -> tuple[str, str]:
    """The origin, "" where none is written, and what is written as the name."""
    library = "|".join(LIBRARIES)
    forms = (
        rf"({library}):(.*)",
        rf"({library})/([^/:]+)(?<!\.py)",  # a file in a folder of that name is code
        r"hf[-_]hub:(timm)/([^/:]+)",
        # those of quantization bear other names than their functions
        r"(torchvision)\.models\.(?:(?!quantization\.)\w+\.)*(\w+)",
    )
    match = next((found for form in forms if (found := re.fullmatch(form, model))), None)
    return (match[1], match[2]) if match else ("", model)


def _spelt(name: str, known: Iterable[str], origin: str) -> str | None:
    """The known name that this is a spelling of, with its tag; None if there is not just one."""
    bare, dot, tag = name.partition(".") if origin == "timm" else (name, "", "")
    known = tuple(known)
    # regnet_x_16gf and regnet_x_1_6gf differ by a hyphen alone
    for spelling in (str, _underscored, plain):
        alike = [one for one in known if spelling(one) == spelling(bare)]
        if len(alike) == 1:
            return f"{alike[0]}{dot}{tag}"
    return None


def _underscored(name: str) -> str:
    return name.lower().replace("-", "_")


def _unknown(origin: str, name: str) -> UnknownNameError:
    look = "`dualcost list` shows all names; your own model is path/to/file.py:factory"
    if not origin and _spelt(name, registered("timm"), "timm"):
        look = f"write timm:{name}"
    called, look = CALLED[origin] if origin else ("model", look)
    searched = (origin,) if origin else ORIGINS
    known = {one for place in searched for one in (*names(place), *registered(place))}
    return UnknownNameError(called, name, known, look)
