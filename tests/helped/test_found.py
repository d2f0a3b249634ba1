"""Slow-downs that nobody recorded: lasting steps down after a fall, and only these."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.helped.found import found_actions, step_of
from analysis.schema import ACTIONS, SIGNALS_DAY
from analysis.settings import Settings
from tests.ahead.made import LINE, START, ZERO, changes

UTC = Settings().zone
NOTHING = pl.DataFrame(schema=ACTIONS)


def counts(seed=0, *, days=60, mean=40.0, weekend=1.0):
    rng = np.random.default_rng(seed)
    level = np.array([mean * (weekend if d % 7 in (5, 6) else 1) for d in range(days)])
    return rng.poisson(level)


def days_of(outbound, openers=None):
    rows = [
        {**ZERO, "line": LINE, "day": (START + timedelta(days=d)).date(), "outbound": int(n), "new_conversations": int(openers[d]) if openers is not None else 0,
         "reply_rate": None, "new_reply_rate": None, "health": None, "status": None}
        for d, n in enumerate(outbound)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SIGNALS_DAY)


def found(outbound, openers=None, recorded=NOTHING, zone=UTC):
    told = changes((LINE, 30.4, "HEALTHY", "AT_RISK"))
    return found_actions(
        days_of(outbound, openers), told, recorded, as_of=START + timedelta(days=len(outbound)), zone=zone
    )


def test_a_lasting_step_down_after_a_fall_is_found_on_its_day():
    sent = counts()
    sent[34:] = sent[34:] * 2 // 5
    (row,) = found(sent).iter_rows(named=True)
    assert (row["at"], row["kind"], row["source"], row["line"]) == (START + timedelta(days=34), "slower", "found", LINE)


def test_a_stop_of_openers_is_a_pause_though_sends_go_on():
    openers = counts(1, mean=12)
    openers[33:] = 0
    (row,) = found(counts(), openers).iter_rows(named=True)
    assert (row["at"], row["kind"]) == (START + timedelta(days=33), "pause")


@pytest.mark.parametrize("case", ["two days", "a fifth", "before the fall", "three weeks after", "up"])
def test_what_is_no_slow_down_is_not_found(case):
    sent = counts(3)
    if case == "two days":
        sent[34:36] = 2
    elif case == "a fifth":
        sent[34:] = sent[34:] * 4 // 5
    elif case == "before the fall":
        sent[22:] = sent[22:] // 3
    elif case == "three weeks after":
        sent[52:] = sent[52:] // 3
    else:
        sent[34:] *= 3
    assert found(sent).is_empty()


def test_weekdays_are_known_so_that_a_step_is_seen_through_them_and_few_days_are_none():
    level = np.where(np.arange(60) % 7 < 3, 60, 15)
    same = [np.random.default_rng(seed).poisson(level) for seed in range(10)]
    assert all(found(sent).is_empty() for sent in same)
    less = [np.random.default_rng(seed).poisson(np.where(np.arange(60) >= 34, level // 4, level)) for seed in range(10)]
    assert sum(found(sent).height for sent in less) >= 9


def test_days_that_only_vary_give_a_step_in_about_one_of_a_hundred_falls():
    rng = np.random.default_rng(5)
    steps = 0
    for _ in range(600):
        wild = rng.gamma(4, 10 / 4, 60)  # days differ far more than chance
        steps += step_of(rng.poisson(wild * 4), 30) is not None
    assert steps <= 12


def test_a_step_that_was_recorded_is_that_action():
    sent = counts()
    sent[34:] = sent[34:] // 3
    recorded = pl.DataFrame(
        [("a", LINE, START + timedelta(days=33, hours=9), "slower", None, "hand")], schema=ACTIONS, orient="row"
    )
    assert found(sent, recorded=recorded).is_empty()
    assert found(sent, recorded=recorded.with_columns(line=pl.lit("+19995550100"))).height == 1


def test_a_step_begins_at_midnight_of_the_stores_zone():
    sent = counts()
    sent[34:] = sent[34:] // 3
    (at,) = found(sent, zone=Settings(timezone="America/New_York").zone)["at"]
    assert at == datetime.combine((START + timedelta(days=34)).date(), datetime.min.time()) + timedelta(hours=4)
