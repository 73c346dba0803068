"""A network in words: its model, and what is replaced in it.

resnet50                            a name as for `profile`
resnet50+dual:G=4                   with a request
mobilenet_v2+dual:G=8@separable     with a request where a rule says
resnet50+plan.toml                  with the request of a plan, as `dualcost fit --save` writes it
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dualcost.errors import UsageError
from dualcost.kinds.recipe import ConvKind
from dualcost.rewrite import plan
from dualcost.rewrite.request import USUAL, Request

# a plus that a kind or a plan follows: "a+b/model.py:make" is a model alone, and so is
# "model.py:Net('a+b')": what stands in the parentheses of a factory is passed over
_CHANGE = re.compile(
    r"((?>(?:[^:]*:[\w.]+\(.*\))?).*?)\+([^\s:@;+/.]+(?:[\s:@;].*)?|[^:@;+]+\.toml)", re.DOTALL
)


@dataclass(frozen=True)
class Subject:
    """What a user asks about: a model, and what is replaced in it.

    Attributes:
        model: its name, or a live `torch.nn.Module`.
        request: what is replaced; None: nothing.
        text: what the user wrote; "" for a module.
    """

    model: Any
    request: Request | None = None
    text: str = ""

    @classmethod
    def parse(
        cls,
        model: Any,
        conv: str | ConvKind | Request | None = None,
        G: int | None = None,
        P: int | None = None,
        where: str = "default",
        indivisible: str = "refuse",
        bias: str = "keep",
        but: Iterable[str] = (),
        *,
        open: bool = False,
        several: bool = False,
    ) -> Subject:
        """Read one of the forms above, and the words that stand beside it (`Request.parse`).

        Args:
            model: one of the forms, or a module.
            conv: a kind or a request; so are all that follow.
            G: groups of group and dual.
            P: 1/P of het's kernels are K×K.
            where: which sites are replaced.
            indivisible: what happens where G or P does not divide the channels.
            bias: "keep" or "drop".
            but: exceptions.
            open: a number that nobody says is left open.
            several: the words beside are those of several subjects: what this one says itself
                goes before them, and without a kind of its own they do not concern it.

        Raises:
            UsageError: a word does not fit, or says otherwise than the text, or how to replace is
                said, but not by what.
        """
        but = tuple(but)
        text = model if isinstance(model, str) else ""
        match = _CHANGE.fullmatch(text)
        name, change = (match[1], match[2]) if match else (model, "")
        if (match and not name) or (text.endswith(plan.SUFFIX) and not match):
            model = "MODEL" if match else "MODEL+"
            raise UsageError(f"{text!r} says how to change, but not what", f"write {model}{text}")
        if change and conv is not None:
            raise UsageError(
                f"{text} says what replaces, and {conv} stands beside it", "leave one of them out"
            )
        said = {"where": where, "indivisible": indivisible, "bias": bias}
        if change.endswith(plan.SUFFIX):
            if not several and (G, P, said, but) != (None, None, USUAL, ()):
                raise UsageError(
                    f"{change} says it all, and other words stand beside it", "leave them out"
                )
            return cls(name, plan.read(change), text)
        if (
            "@" in text
            and not change
            and text[-1:] != ")"
            and not text.partition("@")[2].count("/")
        ):
            raise UsageError(f"{text!r} says where, but not by what", "write MODEL+dual:G=4@RULE")
        wanted = change or conv
        if wanted is None:
            if not several:
                check_unsaid(G=G, P=P, **said, but=but)
            return cls(name, None, text)
        request = Request.parse(wanted, G, P, **said, but=but, open=open, own_first=several)
        return cls(name, request, text)


def check_unsaid(**words: Any) -> None:
    """Refuse words that say how to replace, where nothing says by what.

    Raises:
        UsageError: one of them is said.
    """
    for name, word in words.items():
        if word not in (None, (), USUAL.get(name)):
            raise UsageError(f"{name} says how to replace, but not by what", "add --conv dual")
