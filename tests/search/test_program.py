"""An integer program is solved to the same sums as by trying all picks."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.networks import quickly

from dualcost.search.fit.program import Limit, Program, Vector, nearest, solve


@st.composite
def programs(draw: st.DrawFn, largest: int = 10**6) -> Program:
    """Two objectives and two limits; the limits are at, or just below, what some pick makes."""
    number = st.integers(-largest, largest)
    vector = st.tuples(st.integers(0, largest), st.integers(0, 3), number, number)
    some = st.lists(vector, min_size=1, max_size=4)
    items = draw(st.lists(some, min_size=1, max_size=4))
    items += draw(st.lists(st.sampled_from(items), max_size=2))  # the same options once more
    factor = draw(st.sampled_from([1, 64, 700]))
    items = [[(v[0] * factor, v[1], v[2] * factor, v[3]) for v in options] for options in items]
    picked = [draw(st.sampled_from(options)) for options in items]
    ends = [sum(v[column] for v in picked) - draw(st.integers(-1, 1)) for column in (2, 3)]
    low = draw(st.booleans())
    limits = (
        Limit(2, high=ends[0], scale=max(1, abs(ends[0]))),
        Limit(3, low=ends[1]) if low else Limit(3, high=ends[1], scale=7),
    )
    return Program(items, limits, (0, 1))


def all_picks(program: Program) -> Iterator[Vector]:
    for picked in product(*(range(len(options)) for options in program.items)):
        yield program.sums(picked)


def within(program: Program, sums: Vector) -> bool:
    """By the definition of a limit."""
    return all(
        (one.high is None or sums[one.column] <= one.high)
        and (one.low is None or sums[one.column] >= one.low)
        for one in program.limits
    )


@quickly
@given(programs())
def test_what_is_picked_is_the_least_of_all_picks(program: Program) -> None:
    fitting = [sums for sums in all_picks(program) if within(program, sums)]
    found = solve(program)
    if not fitting:
        assert found is None
        return
    assert found is not None
    assert program.sums(found.options) == found.sums
    assert found.sums[:2] == min(fitting)[:2]
    assert found.bound is not None
    assert 0 <= found.sums[0] - found.bound <= 1e-5 * found.sums[0]


@quickly
@given(programs(largest=10**14))
@example(  # two of the second option, and not one of each first
    Program(
        [
            [(0, 0, 0, 0), (1, 0, 0, 990099)],
            [(2, 0, 0, 1), (0, 0, 0, 0)],
            [(0, 0, 0, 0), (0, 0, 0, 0)],
            [(0, 0, 0, 0), (1, 0, 0, 990099)],
        ],
        (Limit(2, high=0), Limit(3, low=990100)),
        (0, 1),
    )
)
def test_what_floating_point_cannot_tell_apart_is_within_its_limits_all_the_same(
    program: Program,
) -> None:
    fitting = [sums for sums in all_picks(program) if within(program, sums)]
    found = solve(program)
    if found is not None:
        assert within(program, found.sums)
        assert found.bound is not None
        assert found.bound <= min(fitting)[0] <= found.sums[0]


@quickly
@given(programs())
@example(  # all numbers of the last column share 8, its limit does not
    Program(
        [[(0, 1, -1, 0), (0, 0, 0, -8)]],
        (Limit(2, high=-1, scale=1), Limit(3, high=-1, scale=7)),
        (0, 1),
    )
)
def test_the_nearest_program_is_relaxed_by_the_least_excess(program: Program) -> None:
    def excess(sums: Vector) -> Fraction:
        beyond = (
            Fraction(
                max(
                    0,
                    sums[one.column] - one.high if one.high is not None else 0,
                    one.low - sums[one.column] if one.low is not None else 0,
                ),
                one.scale,
            )
            for one in program.limits
        )
        return max(beyond)

    relaxed = nearest(program)
    found = solve(relaxed)
    assert found is not None
    least = min(excess(sums) for sums in all_picks(program))
    assert float(excess(found.sums)) == pytest.approx(float(least), rel=1e-6, abs=1e-6)


def test_of_equal_items_the_first_take_the_first_options() -> None:
    keep, small, large = (0, 0, 0), (1, 1, -3), (2, 1, -5)
    program = Program([[keep, small, large]] * 4, (Limit(2, high=-8),), (0, 1))
    found = solve(program)
    assert found is not None
    # 5 + 3 = 8 by 3 of the first objective; two large ones would cost 4
    assert found.options == (0, 0, 1, 2)
    assert found == solve(program)


def test_a_tree_that_may_not_grow_gives_a_bound_below_what_it_found() -> None:
    numbers = [(7919 * n * n + 104729 * n) % 1_000_003 for n in range(1, 41)]
    items = [[(0, 0), (number, -number)] for number in numbers]
    program = Program(items, (Limit(1, high=-sum(numbers) // 2 - 1),), (0,))
    found = solve(program, effort=1)
    assert found is not None
    assert found.bound is not None
    assert -found.sums[1] >= sum(numbers) // 2 + 1  # within the limit all the same
    assert (1 - 1e-5) * sum(numbers) / 2 <= found.bound <= found.sums[0]


def test_the_solver_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    # HiGHS (of scipy 1.17.1) prints a line of its own about this program
    items = [
        [(0, 0), *((61 * n + k, -(61 * n + 3 * k)) for k in range(1, 9))] for n in range(1, 24)
    ]
    assert solve(Program(items, (Limit(1, high=-4001),), (0,))) is not None
    assert capfd.readouterr() == ("", "")
