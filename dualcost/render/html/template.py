"""Templates, style and scripts of the pages, put together into one file without links."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dualcost.kinds.kinds import KINDS, STANDARD
from dualcost.render.glossary import GLOSSARY

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("table.js", "icicle.js", "page.js")
# those that have a colour of their own; what is standard has that of any convolution
COLOURED = {name: kind for name, kind in KINDS.items() if kind is not STANDARD}


def rendered(template: str, **facts: Any) -> str:
    """A page: the template with facts, all of which are escaped; the style and scripts are ours.

    Every page ends with the glossary.
    """
    from markupsafe import Markup

    kinds = COLOURED.values()
    colours = "".join(f"--{kind.name}: {kind.look.colour}; " for kind in kinds)
    sheet = _environment().get_template("page.css").render(kinds=kinds)
    style = f":root {{ {colours}}}\n{sheet}"
    # the files are part of dualcost, and a test holds that they close no element
    scripts = [Markup(_asset(name)) for name in SCRIPTS]
    page = _environment().get_template(template)
    return page.render(style=Markup(style), scripts=scripts, glossary=GLOSSARY, **facts)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("dualcost.render.html", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _asset(name: str) -> str:
    from importlib.resources import files

    return files("dualcost.render.html").joinpath("assets", name).read_text(encoding="utf-8")
