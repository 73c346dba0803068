"""A profile with predicted times: each row's, and the network's before and after its rewrite."""

from __future__ import annotations

from dataclasses import replace

from dualcost.costs.profile import Profile
from dualcost.latency.calibration import Calibration
from dualcost.latency.estimate import Prediction, Timing, estimate, total
from dualcost.network.network import Network
from dualcost.rewrite.rewrite import rewrite


def timed(
    profile: Profile,
    network: Network,
    calibration: Calibration,
    *,
    channels_last: bool = False,
    foreign: bool = False,
) -> Profile:
    """The same profile, with the times that its layers are predicted to take.

    Args:
        profile: of the network.
        network: what was profiled.
        calibration: of the machine that it would run on.
        channels_last: the memory format of weights and images.
        foreign: nobody has compared that machine with this one.
    """
    before = estimate(network, calibration, channels_last)
    after = before
    if profile.rewrite is not None:
        after = estimate(rewrite(network, profile.rewrite).checked(), calibration, channels_last)
    by_index = after.by_index
    rows = (
        replace(row, time=total(by_index.get(index, Timing()) for index in row.ops))
        for row in profile.rows
    )
    predicted = Prediction(
        before=before.total,
        after=after.total,
        memory_format=after.memory_format,
        calibration=calibration,
        foreign=foreign,
        unpredicted=after.unpredicted,
    )
    return replace(profile, rows=tuple(rows), latency=predicted)
