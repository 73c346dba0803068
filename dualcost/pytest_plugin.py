"""A pytest plugin: the fixture `cost`, which holds a model against limits.

    def test_the_model_stays_small(cost):
        cost(small(), "1x3x32x32").assert_within(params="250 K", macs="20 M")

pytest loads it in every run of every project that has dualcost installed, so it imports nothing
but pytest until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dualcost.costs.profile import Profile
    from dualcost.gate.budget import Verdict
    from dualcost.gate.limit import Limit


class Costed:
    """A profiled model, whose cost a test may limit."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    def assert_within(self, **limits: str | int) -> None:
        """Fail the test, with the layers that cost most, unless every metric keeps its limit.

        Args:
            limits: the largest value of each metric, with its unit: `params="19 M"`,
                `peak_activations="12 MiB"`, `unknown_ops=0`. Of a reduction it is the smallest:
                `reduction_params="25 %"`, against the model before its rewrite.

        Raises:
            AssertionError: a metric is beyond its limit.
            dualcost.errors.UsageError: there is no such metric, or the unit is not its own.
        """
        __tracebackhide__ = True
        if not limits:
            from dualcost.errors import UsageError

            raise UsageError("there is no limit", 'write assert_within(params="19 M")')
        failed = [one for one in self._verdicts(limits) if not one.passed]
        if failed:
            raise AssertionError(self._said(failed))

    def _verdicts(self, limits: dict[str, str | int]) -> tuple[Verdict, ...]:
        from dualcost.gate import metrics
        from dualcost.gate.appraisal import Appraisal
        from dualcost.gate.budget import hold
        from dualcost.gate.snapshot import snapshot

        found = Appraisal(
            snapshot(self.profile, self.profile.network, self.profile.network),
            {"": metrics.measured(self.profile.whole_before)},
        )
        return hold(found, [_limit(name, limit) for name, limit in limits.items()])

    def _said(self, failed: list[Verdict]) -> str:
        from dualcost.render.check import words

        inputs = ", ".join(spec.word for spec in self.profile.inputs)
        lines = [f"{self.profile.network} on {inputs} costs too much"]
        for verdict in failed:
            lines += [words.sentence(verdict), *(f"  {line}" for line in words.details(verdict))]
        return "\n".join(lines)


def _limit(name: str, text: str | int) -> Limit:
    from dualcost.costs.metrics import KEPT
    from dualcost.gate import metrics
    from dualcost.gate.limit import Limit

    name = name.replace("reduction_", metrics.REDUCTION).replace("_", "-")
    return Limit.stated(name, text, known=(*KEPT, *metrics.REDUCTIONS))


@pytest.fixture
def cost() -> Callable[..., Costed]:
    """`cost(model, input, ...)` with the words of `dualcost.profile`, then `.assert_within(...)`.

    The model is a `torch.nn.Module` or a name; the input a tensor, a shape, or "1x3x224x224".
    """

    def costed(model: Any, input: Any = None, **words: Any) -> Costed:
        from dualcost import api

        return Costed(api.profile(model, input, **words))

    return costed
