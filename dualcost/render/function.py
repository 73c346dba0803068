"""A closed form as Python source: functions that need nothing but Python."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from math import lcm

from dualcost.costs.closedform import FORMS, ClosedForm
from dualcost.costs.sums import Sum
from dualcost.network.expression import python
from dualcost.version import __version__

_TESTS = {"Eq": "==", "Ne": "!=", "Ge": ">=", "Gt": ">", "Le": "<=", "Lt": "<"}
CHECK = '''\
def _check(**sizes):
    """Refuse what is not a positive integer.

    Raises:
        ValueError: a size is none.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} = {size!r} is not a positive integer")
'''
REFUSE = """\
    if not {relation}:
        raise ValueError({message})
"""


def form_python(form: ClosedForm, title: str) -> str:
    """A module with `macs` and `params`, each a function of the form's symbols.

    Integers in, integers out, without rounding: what is divided leaves no rest where the guards
    hold, and elsewhere the functions raise ValueError.
    """
    names = ", ".join(f"{name}={name}" for name in form.symbols)
    check = f"    _check({names})\n" if names else ""
    parts = [_guarded(form)] if names else []
    parts += [_function(form, metric, check) for metric in FORMS]
    about = [f"MACs and parameters of {title}.", ""]
    if form.partial:
        about += ["MACs are a lower bound: ops ran that no rule counts.", ""]
    about += [f"Counted: {form.convention.about}.", f"Written by dualcost {__version__}."]
    head = '"""' + "\n".join(about) + '\n"""\n'
    if any("Fraction(" in part for part in parts):
        head += "\nfrom fractions import Fraction\n"
    return "\n\n".join([head, *parts])


def _guarded(form: ClosedForm) -> str:
    """The function that checks sizes: one test for each guard."""
    text = CHECK
    for guard in form.guards:
        relation = f"{python(guard.left)} {_TESTS[guard.test]} {python(guard.right)}"
        for name in form.symbols:
            line = f'    {name} = sizes["{name}"]\n'
            text += line if name in guard.symbols and line not in text else ""
        text += REFUSE.format(
            relation=relation, message=dumps(f"the form holds if {guard}", ensure_ascii=False)
        )
    return text


def _function(form: ClosedForm, metric: str, check: str) -> str:
    names = ", ".join(form.symbols)
    label = FORMS[metric].label
    about = label[:1].upper() + label[1:]
    refuses = "; ValueError where the form does not hold" if names else ""
    return (
        f"def {metric}({f'*, {names}' if names else ''}):\n"
        f'    """{about}, exactly{refuses}."""\n' + check + "".join(_lines(form.sum(metric)))
    )


def _lines(total: Sum) -> Iterator[str]:
    """The terms added up, times G and what makes their numbers whole; divided once, at the end."""
    below = lcm(*(int(number.q) for term in total.terms for number in (term.constant, term.share)))
    divisor = " * ".join(([str(below)] if below > 1 else []) + [total.letter] * bool(total.letter))
    alone = len(total.terms) < 2
    terms = []
    for term in total.terms:
        per = _times(int(term.constant * below), int(term.share * below), total.letter)
        if term.size != 1:
            terms.append(f"{per} * {python(term.size, factor=True)}")
        else:
            terms.append(per.strip("()") if alone else per)
    head = "total =" if divisor else "return"
    if alone:
        yield f"    {head} {''.join(terms) or 0}\n"
    else:
        yield f"    {head} (\n        " + "\n        + ".join(terms) + "\n    )\n"
    if divisor:
        yield f"    return total // {f'({divisor})' if '*' in divisor else divisor}\n"


def _times(constant: int, share: int, letter: str) -> str:
    """Constant + share/letter, times the letter."""
    if not letter:
        return str(constant)
    if not share:
        return f"{constant} * {letter}"
    return f"({constant} * {letter} + {share})" if constant else str(share)
