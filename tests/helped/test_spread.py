"""Patterns that moved on to another line: shared recipients, alike bursts, chance, and what became of the second line."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from analysis.helped.spread import EVENTS, OPENED, spread_of
from analysis.helped.words import spread_sentence
from analysis.settings import Settings
from tests.ahead.made import START, changes
from tests.helped.made import line

FALL = 28.0
END = START + timedelta(days=56)


def fleet(*, shared=30, known=True, jump=40, lines=8, seed=1):
    """Lines that open 2 a day; line 0 opened 8 a day up to its fall, then line 1 opens ``jump`` more, ``shared`` of them line 0's people."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(lines):
        for day in range(56):
            fast = n == 0 and 14 <= day < FALL
            slow = n == 0 and day >= FALL
            for i in range(8 if fast else 0 if slow else 2):
                rows.append(
                    (
                        line(n),
                        START + timedelta(days=day, hours=float(rng.uniform(9, 17))),
                        f"p{n}-{day}-{i}" if known else None,
                        True,
                    )
                )
    theirs = [r[2] for r in rows if r[0] == line(0)][-shared:] if shared else []
    for i in range(jump):
        who = (theirs[i] if i < len(theirs) else f"new-{i}") if known else None
        rows.append((line(1), START + timedelta(days=FALL + 1 + 4 * i / jump), who, True))
    return pl.DataFrame(rows, schema=OPENED, orient="row")


FELL = ((line(0), FALL, "HEALTHY", "AT_RISK"),)


def spread(opened, *, falls=FELL):
    told = changes(*falls)
    events = told.head(1).select("line", "at", what=pl.lit("fell")).cast(EVENTS)
    return spread_of(opened, events, told, as_of=END)


def test_a_campaign_that_went_on_to_another_line_with_its_recipients_is_found():
    (row,) = spread(fleet()).iter_rows(named=True)
    assert (row["from_line"], row["to_line"], row["by"]) == (line(0), line(1), "recipients")
    assert (row["shared"], row["of"]) == (30, 54)
    assert (row["from_before"], row["from_after"], row["to_before"], row["to_after"]) == (56, 0, 14, 54)
    assert row["by_chance"] == 0
    assert row["to_worse_at"] is None


def test_the_sentence_has_counts_chance_and_what_became_of_the_second_line():
    falls = ((line(0), FALL, "HEALTHY", "AT_RISK"), (line(1), FALL + 5, "HEALTHY", "CRITICAL"))
    (row,) = spread(fleet(), falls=falls).iter_rows(named=True)
    assert spread_sentence(row, zone=Settings().zone) == (
        "…1001 opened 54 conversations in the 7 days after …1000 fell on 29 Mar (14 in the 7 before), while …1000 went from 56 to 0: "
        "30 of 54 new recipients had a chat on …1000 before; as many are shared in 0 % of 336 pairs of lines and weeks here. "
        "…1001 turned critical 5 days later."
    )


@pytest.mark.parametrize("case", ["no jump", "nobody shared", "first goes on"])
def test_what_did_not_move_is_not_found(case):
    opened = fleet(jump=5 if case == "no jump" else 40, shared=0 if case == "nobody shared" else 30)
    if case == "first goes on":
        more = [(line(0), START + timedelta(days=FALL + d / 8), f"m{d}", True) for d in range(56)]
        opened = pl.concat([opened, pl.DataFrame(more, schema=OPENED, orient="row")])
    assert spread(opened).is_empty()


def test_lines_that_share_people_all_the_time_show_no_spread():
    opened = fleet()
    everyone = [
        (line(n), START + timedelta(days=day, hours=1 + n / 10), f"common-{day - 7 * n}-{i}", True)
        for n in range(2, 8) for day in range(56) for i in range(6)
    ]  # fmt: skip
    assert spread(pl.concat([opened, pl.DataFrame(everyone, schema=OPENED, orient="row")])).is_empty()


def test_where_recipients_are_unknown_alike_bursts_tell_and_say_so():
    (row,) = spread(fleet(known=False)).iter_rows(named=True)
    assert (row["by"], row["shared"], row["of"], row["to_line"]) == ("shape", 0, 0, line(1))
    assert "their busiest days are alike, and recipients are not known" in spread_sentence(row, zone=Settings().zone)


def test_people_who_wrote_first_are_no_openings():
    opened = fleet().with_columns(ours=pl.col("line") != line(1))
    assert spread(opened).is_empty()
