"""What `fit` finds is the best of all plans, each made of words and profiled by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.calibrations import linear_calibration
from support.commands import Command
from support.networks import conv, mobile, network, quickly, site
from torch import nn

import dualcost
from dualcost.costs.metrics import METRICS
from dualcost.costs.profile import Profile, profile
from dualcost.costs.timed import timed
from dualcost.errors import ExitCode, UsageError
from dualcost.kinds.choice import Choice
from dualcost.kinds.kinds import KINDS
from dualcost.latency import calibration as calibrations
from dualcost.library import networks as library
from dualcost.network.blocks import find_blocks
from dualcost.network.cost import Cost
from dualcost.network.network import Network
from dualcost.rewrite import plan
from dualcost.rewrite.request import Request
from dualcost.rewrite.rule import Rule
from dualcost.search.constraint import Constraint
from dualcost.search.fit.budget import LATENCY, NAMES, Latency, budget, budgets
from dualcost.search.fit.choices import choices
from dualcost.search.fit.fit import fit, offered
from dualcost.search.fit.fitted import OBJECTIVES, Fitted, Wish
from dualcost.search.fit.timetable import Predictor
from dualcost.units import Unit, nanoseconds

PREDICTOR = Predictor(linear_calibration())
ANY = "kernel>0"  # a rule that takes every convolution of these tests


@dataclass(frozen=True)
class Tried:
    """A plan that was tried: what it costs, and by how much it changes the network."""

    network: Network
    words: Mapping[str, str]
    profile: Profile
    removed: int
    layers: int

    def worth(self, objective: str) -> int:
        return self.removed if objective == "params" else self.layers

    @cached_property
    def nanoseconds(self) -> int:
        latency = timed(self.profile, self.network, PREDICTOR.calibration).latency
        assert latency is not None
        return nanoseconds(latency.after.seconds)


def all_plans(
    net: Network, rule: str, changes: list[str], owners: Mapping[str, str]
) -> Iterator[Tried]:
    """Every way to give each path one of the changes, the same for paths of one owner."""
    names = sorted(set(owners.values()))
    for picked in product(["keep", *changes], repeat=len(names)):
        by_owner = dict(zip(names, picked, strict=True))
        words = {path: by_owner[owner] for path, owner in owners.items()}
        but = tuple(f"path={path}: {word}" for path, word in words.items())
        asked = Request.parse("standard", where=rule, but=but)
        try:
            found = profile(net, None if set(picked) == {"keep"} else asked)
        except UsageError:  # a number does not divide
            continue
        yield Tried(net, words, found, *_changed(found, owners))


def _changed(found: Profile, owners: Mapping[str, str]) -> tuple[int, int]:
    """The parameters that owners lose, and the paths that are replaced."""
    lost: dict[str, int] = {}
    for row in found.rows:
        owner = owners.get(row.path, "")
        lost[owner] = lost.get(owner, 0) + row.before.params - row.after.params
    replaced = {row.path for row in found.rows if row.replaced}
    return sum(max(0, one) for one in lost.values()), len(replaced)


@st.composite
def chains(draw: st.DrawFn, longest: int = 4) -> tuple[Network, dict[str, str]]:
    """Up to so many convolutions, some of which read the weight of another; path → owner."""
    channels = st.sampled_from([2, 4, 6, 8, 16])
    ops, owners = [], {}
    shapes: dict[tuple[int, int, int], str] = {}
    for index in range(draw(st.integers(1, longest))):
        M, N, K = draw(channels), draw(channels), draw(st.sampled_from([1, 3]))
        side = draw(st.sampled_from([4, 8]))
        owner = shapes.get((M, N, K), "") if draw(st.booleans()) else ""
        shapes.setdefault((M, N, K), f"c{index}")
        ops.append(conv(f"c{index}", site(M, N, K, side), index - 1, weight=owner))
        owners[f"c{index}"] = owner or f"c{index}"
    return network(*ops), owners


CHANGES = ["dual G=2", "dual G=4", "group G=2", "group G=4", "het P=2", "dsc"]


def fitted(net: Network, kinds: list[str], wish: Wish) -> Fitted:
    letters = {KINDS[name].letter for name in kinds}
    G, P = ((2, 4) if "G" in letters else None), ((2,) if "P" in letters else None)
    return fit(net, wish, kinds, G, P, Rule.parse(ANY))


@quickly
@given(
    chains(),
    st.lists(st.sampled_from(["dual", "group", "het", "dsc"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(["params", "layers"]),
    st.data(),
)
def test_a_fit_is_the_best_of_all_plans(
    chain: tuple[Network, dict[str, str]], kinds: list[str], objective: str, data: st.DataObject
) -> None:
    net, owners = chain
    changes = [change for change in CHANGES if change.split()[0] in kinds]
    tried = list(all_plans(net, ANY, changes, owners))
    assume(len(tried) > 1)
    names = data.draw(
        st.lists(st.sampled_from(sorted(set(NAMES) - {"latency"})), min_size=1, max_size=3)
    )
    # at the value of a plan, or one below
    aim = data.draw(st.sampled_from(tried)).profile
    texts = []
    for name in names:
        limit = max(0, METRICS[name].of(aim.whole_after) - data.draw(st.integers(0, 1)))
        texts.append(f"{name} <= {limit}{'B' if METRICS[name].unit is Unit.BYTES else ''}")
    wish = Wish(budgets(texts), objective)
    fitting = [one for one in tried if fits(one.profile, wish)]
    found = fitted(net, kinds, wish)
    assert found.fits == bool(fitting) == fits(found.profile, wish)
    assert_profiled_alike(net, found)
    if fitting:
        assert found.worth == min(one.worth(objective) for one in fitting)
        assert found.bound == found.worth
        assert found.gap == 0
        assert_compared_with_uniform(net, found, fitting, changes)
    else:
        assert worst(found.profile, wish) == pytest.approx(
            min(worst(one.profile, wish) for one in tried), rel=1e-6, abs=1e-6
        )
    for reach in found.reach:
        assert reach.value == min(reach.constraint.value(one.profile.whole_after) for one in tried)


def fits(found: Profile, wish: Wish) -> bool:
    return all(one.holds(one.value(found.whole_after)) for one in wish.budgets)


def worst(found: Profile, wish: Wish) -> float:
    """The largest share of its limit by which a budget is exceeded."""
    return max(float(one.excess(one.value(found.whole_after))) for one in wish.budgets)


def assert_profiled_alike(net: Network, found: Fitted) -> None:
    """Everything that a fit says is what a profile of its plan says."""
    again = profile(net, found.rewrite)
    assert again.after == found.profile.after
    for before, after in zip(found.before, found.readings, strict=True):
        assert before.value == before.constraint.value(profile(net).whole_after)
        assert after.value == after.constraint.value(found.profile.whole_after)
    for side in ("before", "after"):
        whole = sum((getattr(layer, side) for layer in found.layers), Cost())
        # all parameters of these networks are those of convolutions
        assert (whole.macs, whole.params) == (
            getattr(again, side).macs,
            getattr(again, side).params,
        )


def assert_compared_with_uniform(
    net: Network, found: Fitted, fitting: list[Tried], changes: list[str]
) -> None:
    """The best plan with one change, made at every path that can take it."""
    worths = []
    for change in changes:
        takers = {layer.path for layer in found.layers if takes(net, layer.path, change)}
        for one in fitting:
            changed = {path: word for path, word in one.words.items() if word != "keep"}
            if takers and changed == dict.fromkeys(takers, change):
                worths.append(one.worth(found.wish.objective))
    assert (found.uniform and found.uniform.worth) == (min(worths) if worths else None)


def takes(net: Network, path: str, change: str) -> bool:
    try:
        profile(
            net, Request.parse("standard", where=f"kernel>0 path={path}", but=(f"M>0: {change}",))
        )
    except UsageError:
        return False
    return True


@quickly
@given(chains(longest=3), st.integers(0, 3), st.data())
def test_the_least_latency_is_that_of_all_plans_over_a_floor(
    chain: tuple[Network, dict[str, str]], less: int, data: st.DataObject
) -> None:
    net, owners = chain
    tried = list(all_plans(net, ANY, CHANGES[:4], owners))
    aim = data.draw(st.sampled_from(tried)).profile.after.params - less
    assume(aim > 0)
    wish = Wish(budgets([f"params >= {aim}"]), "latency", PREDICTOR)
    least = min(one.nanoseconds for one in tried if one.profile.after.params >= aim)
    try:
        found = fitted(net, ["dual", "group"], wish)
    except UsageError:  # no number divides the channels of any
        assert len(tried) == 1
        return
    assert found.fits
    assert found.profile.after.params >= aim
    # every layer's time is rounded to a nanosecond
    assert least <= found.worth <= least + 2 * len(owners)
    assert found.profile.latency is not None
    assert found.worth == round(found.profile.latency.after.seconds * 1e9)


@quickly
@given(chains(longest=3), st.data())
def test_a_latency_budget_is_met_by_what_the_whole_plan_is_predicted_to_take(
    chain: tuple[Network, dict[str, str]], data: st.DataObject
) -> None:
    net, owners = chain
    tried = list(all_plans(net, ANY, CHANGES[:4], owners))
    assume(len(tried) > 1)
    aim = data.draw(st.sampled_from(tried)).nanoseconds + 50
    wish = Wish((Latency(LATENCY, "latency", high=aim),), "params", PREDICTOR)
    found = fitted(net, ["dual", "group"], wish)
    assert found.fits
    again = timed(profile(net, found.rewrite), net, PREDICTOR.calibration).latency
    assert again is not None
    assert again.after.seconds * 1e9 <= aim + 0.5
    assert found.worth <= min(one.removed for one in tried if one.nanoseconds <= aim - 50)


# --- which sites are one


def test_sites_that_share_a_weight_get_one_choice_and_are_counted_once() -> None:
    net = network(
        conv("a", site(8, 8)),
        conv("b", site(8, 8), 0, weight="a"),
        conv("c", site(8, 8), 1),
    )
    groups = choices(net, [Choice(KINDS["dual"], 4)], Rule.parse(ANY)).groups
    assert [group.paths for group in groups] == [("a", "b"), ("c",)]
    before, after = 3 * 3 * 8 * 8, 8 * (3 * 3 * 8 // 4 + 8)  # K*K*M*N, N*(K*K*M/G + M)
    changes = [group.changes[Choice(KINDS["dual"], 4)] for group in groups]
    assert [change.params for change in changes] == [after - before] * 2
    assert [change.macs for change in changes] == [n * 8 * 8 * (after - before) for n in (2, 1)]


def test_a_number_that_does_not_divide_all_sites_of_a_group_is_no_choice() -> None:
    net = network(
        conv("same", site(8, 8), weight="one"), conv("same", site(6, 6), 0, weight="other")
    )
    offer = [Choice(KINDS["dual"], n) for n in (2, 4)]
    (group,) = choices(net, offer, Rule.parse(ANY)).groups
    assert [str(choice) for choice in group.changes] == ["dual G=2"]
    assert len(group.sites) == 2


def test_a_path_that_a_rule_has_no_words_for_is_named_all_the_same() -> None:
    paths = ["", "odd,name", "a b", "star*", "x[1]", "what?", "who:me", "oddxname"]
    net = network(*(conv(path, site(8, 8), index - 1) for index, path in enumerate(paths)))
    known = choices(net, [Choice(KINDS["dual"], 4)], Rule.parse(ANY))
    # "odd,name" is written "odd?name", which "oddxname" fits too
    merged = [group.paths for group in known.groups if len(group.paths) > 1]
    assert merged == [("odd,name", "oddxname")]
    for group in known.groups:
        dual = Choice(KINDS["dual"], 4)
        asked = known.plan([dual if other is group else None for other in known.groups])
        assert asked is not None
        same = Request.parse("dual", G=4, where=ANY, but=tuple(map(str, asked.exemptions)))
        assert [row.path for row in profile(net, same).rows if row.replaced] == list(group.paths)


def test_a_block_is_one_choice() -> None:
    ops = mobile(8, 16, 8)
    net = network(*ops, blocks=find_blocks(ops, {}))
    rule = Rule.parse("block=inverted-residual")
    (group,) = choices(net, [Choice(KINDS["dual"], 4)], rule).groups
    asked = Request.parse("dual", G=4, where=str(rule))
    saved = profile(net, asked)
    (change,) = group.changes.values()
    assert change.params == saved.after.params - saved.before.params
    assert change.traffic == saved.after.traffic - saved.before.traffic


# --- named networks


def test_a_limit_at_the_best_value_gives_it_again_and_one_below_does_not() -> None:
    found = dualcost.fit("resnet18", {"params": "8M"})
    assert found.fits
    params = found.profile.after.params
    assert params <= 8_000_000
    assert found.worth == 11_689_512 - params  # torchvision: num_params
    again = dualcost.fit("resnet18", {"params": params})
    assert (again.profile.after.params, again.gap) == (params, 0)
    below = dualcost.fit("resnet18", {"params": params - 1})
    assert below.fits
    assert below.profile.after.params < params


def test_a_fit_is_the_same_each_time() -> None:
    wish = {"params": "20M", "macs": "3G"}
    first, second = (dualcost.fit("resnet50", wish) for _ in range(2))
    assert first.rewrite == second.rewrite
    assert first.fits
    assert first.gap == 0


def test_what_is_fitted_is_profiled_and_converted_by_its_rewrite() -> None:
    model = nn.Sequential(*(nn.Conv2d(n, 16, 3, padding=1) for n in (3, 16, 16, 16)))
    limits = ["params <= 5000", "macs <= 400K"]
    found = dualcost.fit(model, limits, "1x3x8x8", kinds=["dual", "het"])
    assert found.fits
    assert found.rewrite is not None
    assert dualcost.profile(model, "1x3x8x8", conv=found.rewrite).after == found.profile.after
    converted = dualcost.convert(model, "1x3x8x8", conv=found.rewrite)
    assert sum(p.numel() for p in converted.parameters()) == found.profile.after.params <= 5000


@pytest.mark.parametrize(
    ("name", "where", "texts"),
    [
        ("resnet50", "default", ["params=20M", "macs=3G"]),
        ("mobilenet_v2", "inverted-residual", ["traffic=100MB"]),
        ("densenet121", "default", ["flops=5G", "weight-bytes=28MiB"]),
        ("resnet18", "stride-1", ["macs=1.5G", "params >= 9M"]),
    ],
)
@pytest.mark.parametrize("objective", ["params", "layers"])
def test_a_mixed_plan_is_no_worse_than_any_uniform_one(
    name: str, where: str, texts: list[str], objective: str
) -> None:
    found = dualcost.fit(name, texts, where=where, objective=objective)
    net = library.load(name)
    assert found.fits
    assert found.profile.after == profile(net, found.rewrite).after
    best = None
    for power in range(1, 11):
        asked = Request.parse("dual", G=2**power, where=where, indivisible="keep")
        try:
            one = profile(net, asked)
        except UsageError:
            continue
        if all(limit.holds(limit.value(one.whole_after)) for limit in budgets(texts)):
            lost: Counter[str] = Counter()
            for row in one.rows:
                lost[row.path] += row.before.params - row.after.params
            removed = sum(max(0, params) for params in lost.values())
            worth = {"params": removed, "layers": one.replaced}[objective]
            best = worth if best is None else min(best, worth)
    assert (found.uniform and found.uniform.worth) == best
    assert best is None or found.worth <= best
    assert found.difference == (None if best is None else best - found.worth)


# --- the command


def test_a_saved_plan_gives_the_same_integers_to_a_profile(command: Command) -> None:
    words = ("fit", "resnet18", "--budget", "params=8M", "--budget", "macs=1.5G")
    code, out, err = command(*words, "--conv", "dual,group", "--save", "plan.toml", "--json")
    assert (code, err) == (ExitCode.OK, "dualcost: wrote plan.toml\n")
    said = json.loads(out)
    assert (said["schema"], said["fits"], said["gap"]) == (1, True, 0)
    _, profiled, _ = command("profile", "resnet18", "--plan", "plan.toml", "--format", "json")
    after = json.loads(profiled)["total"]["after"]
    for metric, value in said["total"]["after"].items():
        assert after[metric] == value
    assert {one["metric"]: one["value"] for one in said["budgets"]} == {
        "params": after["params"],
        "macs": after["macs"],
    }
    assert plan.read("plan.toml") == Request.parse(**words_of(said["rewrite"]))
    changed = [layer for layer in said["layers"] if layer["becomes"]]
    saved = sum(layer["before"]["params"] - layer["after"]["params"] for layer in changed)
    assert saved == 11_689_512 - after["params"] == said["worth"]


def words_of(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "but": tuple(said.get("but", ()))}


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_the_table_fits_its_columns_and_says_what_is_not_modelled(
    command: Command, name: str
) -> None:
    where = "inverted-residual" if name == "mobilenet_v2" else "default"
    code, out, _ = command("fit", name, "--budget", "params=3.1M", "--where", where, "--all")
    assert code == (ExitCode.OK if name == "mobilenet_v2" else ExitCode.FAILED)
    assert max(len(line) for line in out.splitlines()) <= 80
    assert out.endswith("accuracy is not modelled: train and test the result\n")


def test_budgets_out_of_reach_say_what_is_reachable(command: Command) -> None:
    words = ("fit", "resnet18", "--budget", "params=1M", "--budget", "macs=1.5G")
    code, out, err = command(*words, "--save", "plan.toml")
    assert code == ExitCode.FAILED
    assert "plan.toml was not written" in err
    assert not Path("plan.toml").exists()
    said = json.loads(command(*words, "--json")[1])
    params, macs = said["budgets"]
    assert (params["met"], macs["met"], said["fits"]) == (False, True, False)
    all_sites = dualcost.profile("resnet18", conv="dual", G=64).after.params
    assert 1_000_000 < params["reachable"] == params["value"] < all_sites
    assert "“params <= 1M” is out of reach" in out


def test_budgets_that_exclude_each_other_only_together_are_called_so(command: Command) -> None:
    # fewer MACs than the fewest with so many parameters
    low = dualcost.fit("resnet18", ["macs=1M"]).reach[0].value
    words = ("--budget", f"macs={low + 1000}", "--budget", "params>=11M")
    code, out, _ = command("fit", "resnet18", *words)
    assert code == ExitCode.FAILED
    assert "each budget can be met, but not all at once" in out


def test_a_network_that_fits_as_it_is_stays(command: Command) -> None:
    code, out, err = command("fit", "resnet18", "--budget", "params=12M", "--save", "plan.toml")
    assert code == ExitCode.OK
    assert "the network meets all budgets as it is" in out
    assert "plan.toml was not written" in err
    assert dualcost.fit("resnet18", {"params": 11_689_512}).rewrite is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "macs=10MB"], "macs is a count, and 10MB is a number of bytes"),
        (["--budget", "traffic=10M"], "traffic is in bytes, and 10M has no unit of bytes"),
        (["--budget", "parms=10M"], "no metric is called 'parms'"),
        (["--budget", "10M"], "'10M' is not a budget"),
        (["--budget", "params"], "'params' is not a budget"),
        (["--budget", "params=-3"], "'-3' is not a quantity"),
        (["--budget", "params=5M", "--budget", "params>=6M"], "cannot both hold"),
        (["--budget", "peak-activations=1MiB"], "peak-activations is not what layers add up to"),
        (["--budget", "latency=6M"], "'6M' is not a time"),
        (["--budget", "latency>=6ms"], "'latency>=6ms' is not a budget"),
        (["--budget", "params=8M", "--objective", "speed"], "no objective is called 'speed'"),
        (["--budget", "params=8M", "--objective", "latency"], "without a floor"),
        (["--budget", "params=8M", "--kinds", "duel"], "no kind of convolution is called 'duel'"),
        (["--budget", "params=8M", "--G", "3"], "fits a site of torchvision:resnet18"),
        (["--budget", "params=8M", "--G", "0"], "--G 0 has a value that is not positive"),
        (["--budget", "params=8M", "--P", "2"], "P is given, and dual has none"),
        (["--budget", "params=8M", "--where", "separable"], "matches “block=separable”"),
        (["--budget", "params=8M", "--bias", "some"], "bias 'some' is not known"),
        (["--budget", "params=8M", "--any-machine"], "--any-machine says how to predict"),
        (["--budget", "params=8M", "--save", "none/plan.toml"], "cannot write none/plan.toml"),
    ],
)
def test_bad_words_are_one_clear_line(command: Command, words: list[str], message: str) -> None:
    code, out, err = command("fit", "resnet18", *words)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in err
    assert "hint: " in err


def test_a_latency_is_predicted_by_a_file(command: Command, tmp_path: Path) -> None:
    calibrations.write(linear_calibration(), tmp_path / "machine.json")
    net = library.load("resnet18")
    before = timed(profile(net), net, linear_calibration())
    assert before.latency is not None
    aim = f"latency={before.latency.before.seconds * 900:.3f}ms"  # nine tenths
    words = ("fit", "resnet18", "--budget", aim, "--calibration", "machine.json", "--any-machine")
    code, out, _ = command(*words, "--json")
    said = json.loads(out)
    assert code == ExitCode.OK
    (reading,) = said["budgets"]
    assert reading["unit"] == "ns"
    assert reading["before"] == round(before.latency.before.seconds * 1e9)
    assert 0 <= reading["headroom"] == reading["limit"] - reading["value"]
    code, out, _ = command(*words)
    assert "machine: A processor" in out
    assert re.search(r"latency: ~\S+ ms \(\S+ to \S+\) → ~\S+ ms \(\S+ to \S+\)", out)
    floor = ("--budget", "params>=9M", "--objective", "latency")
    code, out, _ = command(*words[:2], *floor, *words[4:])
    assert code == ExitCode.OK
    assert "ms" in out


def test_a_machine_without_a_calibration_is_told_what_to_do(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    code, _, err = command("fit", "resnet18", "--budget", "latency=60ms")
    assert code == ExitCode.UNMEASURED
    assert "dualcost calibrate" in err
    with pytest.raises(UsageError, match="a latency is predicted by a calibration"):
        dualcost.fit("resnet18", ["latency=60ms"])


def test_a_packaged_network_is_fitted_without_torch() -> None:
    code = (
        "import sys, dualcost; dualcost.fit('resnet18', {'params': '8M'})\n"
        "assert 'scipy' in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- budgets and offers


@pytest.mark.parametrize(
    ("text", "metric", "low", "high"),
    [
        ("params=10M", "params", None, 10_000_000),
        (" macs = 1.5G ", "macs", None, 1_500_000_000),
        ("params <= 10", "params", None, 10),
        ("params<10", "params", None, 9),
        ("params >= 5K", "params", 5000, None),
        ("traffic=90MB", "traffic", None, 90_000_000),
        ("weight-bytes=1KiB", "weight-bytes", None, 1024),
        ("latency=60ms", "latency", None, 60_000_000),
        ("latency <= 1.5s", "latency", None, 1_500_000_000),
    ],
)
def test_a_budget_is_read(text: str, metric: str, low: int | None, high: int | None) -> None:
    read: Constraint = budget(text)
    assert (read.metric.name, read.low, read.high) == (metric, low, high)


def test_budgets_are_texts_or_names_with_numbers() -> None:
    assert budgets({"params": "10M", "macs": 1_500_000}) == budgets(["params=10M", "macs=1500000"])
    assert budgets("params=10M") == budgets(["params=10M"])
    with pytest.raises(UsageError, match="there is no budget"):
        budgets([])


def test_all_powers_of_two_are_offered_that_may_divide() -> None:
    net = network(conv("a", site(24, 48)))
    offer = [str(one) for one in offered(net, Rule.parse(ANY), ["dual", "dsc"])]
    assert offer == ["dual G=2", "dual G=4", "dual G=8", "dual G=16", "dsc"]
    offer = [str(one) for one in offered(net, Rule.parse(ANY), ["het"], P=(3, 2))]
    assert offer == ["het P=2", "het P=3"]
    with pytest.raises(UsageError, match="no kind is offered"):
        offered(net, Rule.parse(ANY), [])


def test_every_objective_has_a_title() -> None:
    for name in OBJECTIVES:
        floor = budgets(["params >= 1"])
        assert Wish(floor, name).predicts == (name == "latency")
