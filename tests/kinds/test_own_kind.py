"""A kind of one's own is counted wherever a kind's name is."""

from __future__ import annotations

import numpy as np
import pytest
from support.calibrations import linear_calibration
from support.own_kinds import MIXED, TWIN

import dualcost
from dualcost.errors import IndivisibleError, UsageError
from dualcost.kinds.kinds import KINDS
from dualcost.kinds.look import OWN_LOOK
from dualcost.library import networks as library
from dualcost.render.rewrite import becomes
from dualcost.render.roofline.figure import roofline_figure
from dualcost.rewrite.request import Request
from dualcost.views.roofline import roofline


def test_the_same_recipe_has_the_same_costs() -> None:
    own = dualcost.profile("resnet18", conv=TWIN, G=4)
    known = dualcost.profile("resnet18", conv="dual", G=4)
    assert own.after == known.after
    assert {becomes(row.becomes) for row in own.rows if row.replaced} == {"twin G=4"}
    # by less than 4 the 11,689,512 parameters do not come below 5 million
    assert dualcost.solve("resnet18", "params <= 5M", conv=TWIN).value == 4
    form = dualcost.formula("resnet18", conv=TWIN)
    assert form.at(G=4).params == known.after.params


def test_a_kind_of_ones_own_has_a_look_in_figures_that_no_other_has() -> None:
    from matplotlib.colors import to_hex

    rewrite = Request.parse(MIXED, G=4)
    placed = roofline(library.load("resnet18"), linear_calibration(), rewrite)
    (axes,) = roofline_figure(placed).axes
    faces = [np.asarray(marks.get_facecolor(), dtype=float)[0] for marks in axes.collections]
    drawn = {to_hex(tuple(face[:3])).upper() for face in faces}
    assert MIXED.look == OWN_LOOK
    assert OWN_LOOK.colour in drawn
    assert OWN_LOOK.colour not in {kind.look.colour for kind in KINDS.values()}


def test_its_letter_is_asked_for_as_of_any_kind() -> None:
    with pytest.raises(UsageError, match="mixed needs G"):
        dualcost.profile("resnet18", conv=MIXED)
    with pytest.raises(IndivisibleError, match="M=64 is not divisible by G=3"):
        dualcost.profile("resnet18", conv=MIXED, G=3)
