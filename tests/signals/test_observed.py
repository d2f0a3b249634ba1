"""Health as a pull saw it: a change between two looks where no report tells of one, and never against a report."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from analysis.schema import CHANGES, INSTANT
from analysis.signals.health import observed, spells, transitions

START = datetime(2026, 9, 1)
H, A, C = "HEALTHY", "AT_RISK", "CRITICAL"


def hour(n: float) -> datetime:
    return START + timedelta(hours=n)


def reported(*rows: tuple[float, str | None, str]) -> pl.DataFrame:
    return pl.DataFrame([("+1", hour(n), previous, new, None, None) for n, previous, new in rows], schema=CHANGES, orient="row")  # fmt: skip


def looks(*rows: tuple[float, str]) -> pl.DataFrame:
    schema = {"line": pl.String, "observed_at": INSTANT, "health": pl.String}
    return pl.DataFrame([("+1", hour(n), health) for n, health in rows], schema=schema, orient="row")


@pytest.mark.parametrize(
    ("told", "seen", "found"),
    [
        ([], [(1, H)], [(1, H, H, None)]),  # how things stand
        ([], [(1, A), (2, A)], [(1, A, A, None)]),
        ([], [(1, H), (2, H), (3, A), (4, A), (5, H)], [(1, H, H, None), (3, H, A, 2), (5, A, H, 4)]),
        ([(1, H, A)], [(3, A)], []),
        ([(1, H, A)], [(3, H)], [(3, A, H, 1)]),
        ([(1, H, A)], [(3, A), (5, C)], [(5, A, C, 3)]),
        ([(4, H, A)], [(3, H), (5, A)], [(3, H, H, None)]),  # the report tells of the change
        ([(4, H, A), (6, A, H)], [(3, H), (9, H)], [(3, H, H, None)]),
        ([(1, None, H), (4, H, A)], [(4.05, H), (5, A)], []),  # an answer that lags behind the report
        ([(1, None, H), (4, H, A)], [(3.95, A), (5, A)], []),  # a clock before the vendor's
        ([(1, None, H), (4, H, A)], [(4.2, H)], [(4.2, A, H, 4)]),
    ],
)
def test_a_look_counts_only_where_it_tells_something_new(told, seen, found):
    rows = observed(reported(*told), looks(*seen), within=timedelta(minutes=5)).rows()
    assert rows == [("+1", hour(at), previous, new, None if held is None else hour(held)) for at, previous, new, held in found]  # fmt: skip


def test_the_order_of_rows_changes_nothing_and_lines_are_apart():
    told, seen = reported((1, H, A), (9, A, H)), looks((2, A), (4, C), (6, C), (12, H))
    other = seen.with_columns(line=pl.lit("+2"))
    both = pl.concat([seen, other])
    found = observed(told, both, within=timedelta(minutes=5))
    assert found.equals(observed(told.reverse(), both.sample(fraction=1, shuffle=True, seed=3), within=timedelta(minutes=5)))  # fmt: skip
    assert found.filter(pl.col("line") == "+1")["changed_at"].to_list() == [hour(4)]
    assert found.filter(pl.col("line") == "+2")["changed_at"].to_list() == [hour(2), hour(4), hour(12)]


def test_a_first_look_gives_a_spell_of_unknown_beginning_and_no_transition():
    rows = observed(reported(), looks((1, A), (5, H)), within=timedelta(minutes=5)).drop("not_before")
    changes = pl.concat([rows, reported()], how="diagonal").select(CHANGES.names())
    assert transitions(changes).select("at", "previous", "new").rows() == [(hour(5), A, H)]
    assert spells(changes).select("state", "start_at", "end_at").rows() == [(A, None, hour(5)), (H, hour(5), None)]


@pytest.mark.parametrize(
    ("reports", "change"),
    [
        ([("HEALTHY", "AT_RISK"), ("AT_RISK", "CRITICAL")], ("HEALTHY", "CRITICAL")),
        ([("HEALTHY", "AT_RISK"), ("HEALTHY", "CRITICAL")], ("HEALTHY", "CRITICAL")),
        ([("CRITICAL", "HEALTHY"), ("HEALTHY", "AT_RISK")], ("CRITICAL", "AT_RISK")),
        ([(None, "AT_RISK"), ("HEALTHY", "CRITICAL")], ("HEALTHY", "CRITICAL")),
    ],
)
def test_several_reports_of_one_instant_are_one_change_to_the_worst(reports, change):
    changes = pl.DataFrame(
        [("+1", datetime(2026, 9, 1), previous, new, None, None) for previous, new in reports],
        schema=CHANGES,
        orient="row",
    )
    for told in (changes, changes.reverse()):
        assert transitions(told).select("previous", "new").rows() == [change]
        assert spells(told)["start_at"].drop_nulls().n_unique() == 1
