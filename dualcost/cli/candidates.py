"""The words that a shell may offer in each place: models, kinds, rules and the like.

Every list is the one that the program reads its words by. Nothing here imports torch, sympy or a
user's code: a shell waits for the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dualcost.rewrite.rule import Candidate, Rule

# a word, and what it means; "" where that is plain
Words = list[tuple[str, str]]
CODE, EXPORTED, REPORT = ".py", ".pt2", ".json"


def _names(registry: Iterable[str]) -> Words:
    """The names in a registry, and what each record says about itself."""
    records = registry if isinstance(registry, Mapping) else {}
    return [(str(name), getattr(records.get(name), "about", "")) for name in registry]


def kinds(incomplete: str) -> Words:
    """The kinds of convolution."""
    from dualcost.kinds.kinds import KINDS

    return _names(KINDS)


def conventions(incomplete: str) -> Words:
    """What may be counted."""
    from dualcost.network.cost import CONVENTIONS

    return _names(CONVENTIONS)


def biases(incomplete: str) -> Words:
    """What becomes of the biases of what is replaced."""
    from dualcost.rewrite.request import BIASES

    return _names(BIASES)


def units(incomplete: str) -> Words:
    """Of counts."""
    from dualcost.units import UNIT_NAMES

    return _names(UNIT_NAMES)


def devices(incomplete: str) -> Words:
    """What models run on."""
    from dualcost.latency.machine import Device

    return _names(Device)


def forms(incomplete: str) -> Words:
    """Of a check."""
    from dualcost.render.check import FORMS

    return _names(FORMS)


def sorts(incomplete: str) -> Words:
    """Orders of the layers of a profile."""
    from dualcost.views.order import SORTS

    return _names(SORTS)


def differences(incomplete: str) -> Words:
    """Orders of the layers of a comparison."""
    from dualcost.views.alignment import SORTS

    return _names(SORTS)


def compared(incomplete: str) -> Words:
    """The metrics of a comparison."""
    from dualcost.costs.metrics import BY_LAYER

    return _names(BY_LAYER)


def axes(incomplete: str) -> Words:
    """Of the figure of a sweep."""
    from dualcost.costs.metrics import COMPARED

    return _names(COMPARED)


def metrics(incomplete: str) -> Words:
    """What may be limited."""
    from dualcost.costs.metrics import KEPT

    return _names(KEPT)


def variables(incomplete: str) -> Words:
    """What `solve` looks for."""
    from dualcost.search.solve import VARIABLES

    return _names(VARIABLES)


def objectives(incomplete: str) -> Words:
    """What is least in a plan of `fit`."""
    from dualcost.search.fit.fitted import OBJECTIVES

    return [*OBJECTIVES.items()]


def policies(incomplete: str) -> Words:
    """What becomes of indivisible channels; the fallback with a number."""
    from dualcost.rewrite.request import POLICIES

    return [(policy.replace(":N", ":8"), "") for policy in POLICIES]


def models(incomplete: str) -> Words:
    """Networks that are known by name, and code and exported models in this folder.

    What stands in another folder is left to the shell, until a file of code is named.
    """
    if "+" in incomplete:
        return _rewritten(incomplete)
    if f"{CODE}:" in incomplete:
        return factories(incomplete)
    names = [*_networks(incomplete), *_in_this_folder(CODE, EXPORTED)]
    return [(name, "") for name in names]


def factories(incomplete: str) -> Words:
    """The functions and classes of a file of code, read without running it."""
    from dualcost.code.outline import outline

    path = incomplete.partition(":")[0]
    if not path.endswith(CODE):
        return [(name, "") for name in _in_this_folder(CODE)]
    return [(f"{path}:{one.name}", one.about) for one in outline(path).offers]


def patterns(incomplete: str) -> Words:
    """What `list` takes: names, and all of one origin."""
    from dualcost.library.networks import ORIGINS

    return [(f"{origin}:*", "") for origin in ORIGINS] + [
        (name, "") for name in _networks(incomplete)
    ]


def _networks(incomplete: str) -> Iterator[str]:
    """Bare names; names with their origin once that is begun: a lone "zoo:" would end the word."""
    from dualcost.library import networks as library
    from dualcost.library.catalogue import registered

    for origin in library.ORIGINS:
        yield from library.names(origin)
    begun = incomplete.partition(":")[0]
    for origin in library.LIBRARIES if begun else ():
        if origin.startswith(begun):
            names = library.names(origin) or registered(origin)
            yield from (f"{origin}:{name}" for name in names)


def _in_this_folder(*endings: str) -> list[str]:
    return sorted(path.name for path in Path().iterdir() if path.suffix in endings)


def contenders(incomplete: str) -> Words:
    """Sides of a comparison: models, models with a rewrite, and reports."""
    reports = [] if "+" in incomplete else [(name, "") for name in _in_this_folder(REPORT)]
    return models(incomplete) + reports


def _rewritten(incomplete: str) -> Words:
    """A model that is named, with every rewrite of it."""
    from dualcost.kinds.kinds import KINDS
    from dualcost.rewrite.rule import NAMED_RULES

    head, at, _ = incomplete.rpartition("@")
    if at:
        return [(f"{head}@{name}", terms) for name, terms in NAMED_RULES.items()]
    model, _, _ = incomplete.rpartition("+")
    found: Words = [(f"{model}+{name}", "") for name in _in_this_folder(".toml")]
    for kind in KINDS.values():
        numbers = _divisors(model, "default") if kind.letter else []
        numbered = [f"{kind.name}:{kind.letter}={number}" for number in numbers]
        found += [(f"{model}+{name}", kind.about) for name in numbered or [kind.name]]
    return found


def requests(context: typer.Context, incomplete: str) -> Words:
    """What --conv takes: kinds that commas join, and the numbers of one after its colon."""
    begun, comma, last = incomplete.rpartition(",")
    name, colon, _ = last.partition(":")
    if colon:
        numbers = _divisors(_model(context), _rule(context))
        return [(f"{begun}{comma}{name}:{number}", "") for number in numbers]
    chosen = [text.partition(":")[0] for text in begun.split(",")]
    return [
        (f"{begun}{comma}{name}", about) for name, about in kinds(incomplete) if name not in chosen
    ]


def divisors(context: typer.Context) -> Words:
    """The numbers that divide all channels of what would be replaced."""
    return [(str(number), "") for number in _divisors(_model(context), _rule(context))]


def _divisors(model: str, rule: str) -> list[int]:
    """Those of a network that is at hand; the paper's, if it is not."""
    from dualcost.rewrite.rule import Rule
    from dualcost.search.sweep.rows import DOUBLING

    read = Rule.replacing(rule)
    sites = [one.site for one in _sites(model, read) if read.refusal(one) is None]
    if not sites:
        return list(DOUBLING[1:])
    shared = gcd(*(channels for site in sites for channels in (site.M, site.N)))
    return [number for number in range(2, shared + 1) if shared % number == 0]


def rules(context: typer.Context, incomplete: str) -> Words:
    """Named rules, and terms with the values that the model's sites have; the last is begun."""
    from dualcost.network.network import BLOCK_KINDS
    from dualcost.rewrite.rule import NAMED_RULES, READERS, Rule

    head, space, begun = incomplete.rpartition(" ")
    field, equals, value = begun.partition("=")
    fields = [name for name in READERS if name == field or (name.startswith(field) and not equals)]
    found = dict(NAMED_RULES) if not equals else {}
    if len(fields) != 1:
        found |= {f"{name}=": "" for name in fields}
    else:
        (field,) = fields
        rule = Rule.parse(f"block={BLOCK_KINDS[0]}" if field == "block" else "")
        known = [one.written(field) for one in _sites(_model(context), rule)]
        shown = _level(known, value) if field == "path" else _ordered(known)
        found |= {f"{field}={value}": "" for value in shown or _usual(field)}
    return [(f"{head}{space}{term}", about) for term, about in found.items()]


def _usual(field: str) -> list[str]:
    """Values of a field, where no model says which there are."""
    from dualcost.network.network import BLOCK_KINDS

    if field in ("first", "transposed", "bias"):
        return ["yes", "no"]
    return list(BLOCK_KINDS) if field == "block" else ["1", "2", "3"]


def _ordered(values: Iterable[str]) -> list[str]:
    """Each once; numbers by their size."""
    return sorted(set(values), key=lambda text: (len(text), text))


def _level(paths: Iterable[str], begun: str) -> list[str]:
    """Paths down to the level that is being written; "layer3.*" for all below."""
    depth = begun.count(".") + 1
    split = (path.split(".") for path in paths)
    return list(
        dict.fromkeys(".".join(names[:depth]) + ".*" * (names[depth:] != []) for names in split)
    )


def exceptions(context: typer.Context, incomplete: str) -> Words:
    """A rule, and after its colon what becomes of the site there."""
    from dualcost.kinds.kinds import KINDS

    rule, colon, _ = incomplete.partition(":")
    if not colon:
        return rules(context, incomplete)
    numbers = _divisors(_model(context), rule)
    changes = ["keep"]
    for kind in KINDS.values():
        changes += [kind.label(number) for number in numbers] if kind.letter else [kind.name]
    return [(f"{rule}: {change}", "") for change in changes]


def configured(context: typer.Context) -> Words:
    """The models of the configuration."""
    from dualcost.gate import config

    path = context.params.get("config")
    found = config.read(Path(path) if path else config.find())
    return [(model.name, model.target) for model in found.models]


def cached(incomplete: str) -> Words:
    """The networks in the user's cache."""
    from dualcost.library import cache

    return [(entry.network, ", ".join(entry.inputs)) for entry in cache.entries() if entry.network]


def parts_of_paper(incomplete: str) -> Words:
    """What `paper` takes."""
    from dualcost.paper.parts import CLAIMS, LATENCY, PLOT
    from dualcost.paper.tables import TABLES, TITLES

    tables = [(f"table{number}", TITLES[name]) for number, name in enumerate(TABLES, 1)]
    return [(CLAIMS, ""), (PLOT, ""), (LATENCY, ""), *tables]


def _sites(model: str, rule: Rule) -> list[Candidate]:
    """What a rule is asked about in a network; nothing, if that would have to be traced."""
    from dualcost.errors import DualcostError
    from dualcost.library import networks as library
    from dualcost.rewrite.rewrite import candidates

    try:
        if not library.at_hand(model):
            return []
    except DualcostError:  # nothing is called that
        return []
    return [candidate for candidate, _ in candidates(library.load(model), rule)]


def _model(context: typer.Context) -> str:
    """The first model that the command line names.

    The parser stops at an option that lacks its value, and what stands before it is left over.
    """
    named = context.params.get("model") or context.params.get("models") or context.args
    return named if isinstance(named, str) else next(iter(named or ()), "")


def _rule(context: typer.Context) -> str:
    where = context.params.get("where") or "default"
    return where if isinstance(where, str) else str(where[-1])
