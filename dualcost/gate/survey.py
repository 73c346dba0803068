"""Every model of a configuration, appraised: traced ones in processes of their own, in parallel.

    python -P -m dualcost.gate.survey < request.json

is such a process: it is told the model and the folder of the configuration, works there, and
answers with one JSON object a line: {"says": …} while it works, then {"appraisal": …},
{"times": …} or {"advice": …}.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

from dualcost import process
from dualcost.errors import DualcostError, ModelError, UnmeasuredError, UsageError
from dualcost.gate import advice, appraisal
from dualcost.gate.advice import Wanted
from dualcost.gate.appraisal import Appraisal, Time
from dualcost.gate.config import Config, Model
from dualcost.library.networks import Announce
from dualcost.process import Say, serve

Found = Mapping[str, Appraisal | DualcostError]


def survey(
    asked: Config,
    announce: Announce = lambda message: None,
    jobs: int = 0,
    latency: bool = True,
) -> Found:
    """Appraise every model; of one that does not run, the error.

    Args:
        asked: the configuration.
        announce: told what is about to take a while.
        jobs: how many are traced at once; 0: as many as there are processors.
        latency: measure latencies, too: one model after the other, when all else is done.

    Raises:
        UsageError: what the configuration says of a model does not fit; with its line.
    """
    found: dict[str, Appraisal | DualcostError] = {}
    traced = []
    for model in asked.models:
        try:
            if appraisal.reads_only(model):
                found[model.name] = appraisal.appraise(model)
            else:
                traced.append(model)
        except DualcostError as error:
            found[model.name] = _located(asked, model, error)
    workers = jobs or os.cpu_count() or 1
    with ThreadPoolExecutor(max(1, min(workers, len(traced)))) as pool:
        try:
            answers = pool.map(lambda model: _traced(asked, model, announce), traced)
            found |= dict(zip((model.name for model in traced), answers, strict=True))
        except BaseException:  # Ctrl-C: what has not begun does not
            pool.shutdown(cancel_futures=True)
            raise
    if latency:
        for model in asked.models:
            one = found[model.name]
            if isinstance(one, Appraisal) and any(appraisal.timed(model)):
                found[model.name] = _timed(asked, model, one, announce)
    return {model.name: found[model.name] for model in asked.models}


def _traced(asked: Config, model: Model, announce: Announce) -> Appraisal | DualcostError:
    try:
        answer = _ask(asked, model, announce, "appraisal")
    except DualcostError as error:
        return _located(asked, model, error)
    return Appraisal.from_json(answer)


def _timed(asked: Config, model: Model, known: Appraisal, announce: Announce) -> Appraisal:
    """The same with its times; what could not be timed says why."""
    try:
        answer = _ask(asked, model, announce, "times")
    except DualcostError as error:
        why = (error.message, error.hint)
        return replace(
            known, untimed={appraisal.time_key(one): why for one in appraisal.timed(model)}
        )
    return replace(
        known,
        times={key: Time(**time) for key, time in answer["known"].items()},
        untimed={key: (message, hint) for key, (message, hint) in answer["unknown"].items()},
    )


def _located(asked: Config, model: Model, error: DualcostError) -> DualcostError:
    """What went wrong with a model, with its line: it does not run, or cannot be measured.

    Raises:
        UsageError: it is the configuration that does not fit.
    """
    message = f"{asked.at(model.line)}{model.name}: {error.message}"
    if isinstance(error, UsageError):
        raise UsageError(message, error.hint) from error
    return UnmeasuredError(message, error.hint)


def advise(
    asked: Config,
    model: Model,
    wanted: Sequence[Wanted],
    announce: Announce = lambda message: None,
) -> str:
    """What would make a model fit (`advice.advise`), where it can be traced."""
    if appraisal.reads_only(model):
        return advice.advise(model, wanted)
    limits = [asdict(one) for one in wanted]
    return str(_ask(asked, model, announce, "advice", limits))


def _ask(
    asked: Config, model: Model, announce: Announce, what: str, limits: Sequence[Any] = ()
) -> Any:
    """Let a process of its own appraise, time or advise a model."""
    request = {
        "folder": str(asked.root.resolve()),
        "model": model.to_json(),
        "what": what,
        "limits": limits,
    }
    for event in process.events("dualcost.gate.survey", request, threads=1):
        if "says" in event:
            announce(event["says"])
        if what in event:
            return event[what]
    raise ModelError(f"{model.target} ended the process that traced it", "run it by itself")


def answer(request: Any, say: Say) -> None:
    """Appraise, time or advise a model in the folder of its configuration."""
    say(_answer(request, lambda message: say({"says": message})))


def _answer(request: Mapping[str, Any], announce: Announce) -> dict[str, Any]:
    os.chdir(request["folder"])
    model = Model.from_json(request["model"])
    if request["what"] == "times":
        found = dict(appraisal.times(model, announce))
        known = {key: asdict(one) for key, one in found.items() if isinstance(one, Time)}
        unknown = {
            key: (one.message, one.hint)
            for key, one in found.items()
            if isinstance(one, DualcostError)
        }
        return {"times": {"known": known, "unknown": unknown}}
    if request["what"] == "advice":
        wanted = [Wanted(**limit) for limit in request["limits"]]
        return {"advice": advice.advise(model, wanted, announce)}
    return {"appraisal": appraisal.appraise(model, announce).to_json()}


if __name__ == "__main__":
    serve(answer)
