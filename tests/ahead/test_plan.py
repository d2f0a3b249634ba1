"""Placing new recipients: as many as fit, on healthy lines only, with the least added risk; checked against trying every way."""

import json
from datetime import datetime
from itertools import product

import polars as pl
import pytest

from analysis.ahead.plan import plan_of
from analysis.errors import UsageError
from analysis.schema import GATE
from analysis.settings import Settings

AT = datetime(2026, 4, 1, 12)


def gate(*lines):
    rows = []
    for name, health, left, curve in lines:
        decision = "send" if health == "HEALTHY" else "pause"
        rows.append(
            (
                name,
                AT,
                health,
                "ACTIVE",
                decision,
                left,
                99,
                15,
                8.0,
                0,
                0,
                "published",
                curve[0],
                50.0,
                5.0,
                json.dumps(curve),
                "",
            )
        )
    return pl.DataFrame(rows, schema=GATE, orient="row")


def rising(slope, n=101, bend=0.0):
    return [min(1.0, 0.01 + slope * i + bend * i * i) for i in range(n)]


def test_all_fit_where_there_is_room_and_the_rest_is_told():
    lines = gate(
        ("+1", "HEALTHY", 8, rising(0.001)), ("+2", "HEALTHY", 5, rising(0.001)), ("+3", "CRITICAL", 0, rising(0))
    )
    assert (plan_of(lines, 13, 1, Settings()).placed, plan_of(lines, 14, 1, Settings()).placed) == (13, 13)
    assert set(plan_of(lines, 14, 1, Settings()).rows["line"]) == {"+1", "+2"}


def test_no_line_gets_more_on_a_day_than_it_may_open():
    found = plan_of(
        gate(("+1", "HEALTHY", 8, rising(0.0001)), ("+2", "HEALTHY", 3, rising(0.0001))), 40, 3, Settings()
    ).rows
    assert (found["new_recipients"] <= found["most"]).all()
    today = dict(found.filter(pl.col("day") == 0).select("line", "most").iter_rows())
    assert today == {"+1": 8, "+2": 3}


def test_later_days_stay_under_the_risk_that_is_set():
    steep = gate(("+1", "HEALTHY", 30, rising(0.02)))
    found = plan_of(steep, 60, 3, Settings()).rows
    assert found.filter(pl.col("day") > 0)["p_worse_24h"].max() <= 0.15 + 1e-9


@pytest.mark.parametrize("new", [3, 7, 12])
def test_no_other_way_adds_less_risk(new):
    curves = {"+1": rising(0.001, bend=0.0008), "+2": rising(0.006), "+3": rising(0.003, bend=0.0001)}
    caps = {"+1": 10, "+2": 5, "+3": 5}
    found = plan_of(gate(*((line, "HEALTHY", caps[line], curve) for line, curve in curves.items())), new, 1, Settings())
    cost = lambda way: sum(curves[line][n] - curves[line][0] for line, n in zip(caps, way, strict=True))  # noqa: E731
    best = min(cost(way) for way in product(*(range(cap + 1) for cap in caps.values())) if sum(way) == new)
    assert found.placed == new
    # the allocation sees the curve in pieces of a fifth of the room
    assert found.worse_with == pytest.approx(best, abs=0.004)
    assert found.worse_with <= found.worse_at_once + 0.004


def test_nothing_is_placed_without_a_healthy_line_or_with_old_data():
    assert plan_of(gate(("+1", "CRITICAL", 0, rising(0))), 5, 2, Settings()).placed == 0
    stale = gate(("+1", "HEALTHY", 0, rising(0))).with_columns(bound=pl.lit("stale"), decision=pl.lit("slow"))
    assert plan_of(stale, 5, 2, Settings()).placed == 0
    assert plan_of(gate().clear(), 5, 1, Settings()).rows.height == 0


@pytest.mark.parametrize(("new", "days"), [(5, 0), (-1, 3), (5, 61)])
def test_a_plan_out_of_range_says_so(new, days):
    with pytest.raises(UsageError, match="out of range"):
        plan_of(gate(), new, days, Settings())
