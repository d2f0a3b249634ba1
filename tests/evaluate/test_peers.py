"""The peers of the product's reasons: each names what its rule says, sees nothing later, and no label of what it is judged on."""

import numpy as np
import polars as pl
import pytest

from analysis.evaluate.learned import LABELLED, boosted
from analysis.evaluate.simple import METHODS, SIGNALS, simple_guesses
from tests.evaluate.builders import case, cases, fleet
from tests.explain.builders import World

NOW = 40.0
"""The day of the change."""


def steady(days=NOW, first=0, sends=20, line="+1"):
    """So many sends a day over the working day, to known chats, two of three answered at once, a new chat a day."""
    world = World()
    for day in range(first, int(days)):
        for k in range(sends + day % 3):
            at = day + 0.3 + 0.4 * k / sends
            world.message(line, f"{line}-c{k}", at)
            if k % 3:
                world.message(line, f"{line}-c{k}", at + 0.01, "inbound")
        world.message(line, f"{line}-n{day}", day + 0.5)
    return world


def opened(world, day, n, line="+1", name="b", *, answered=False, hours=6):
    """New chats from that day on."""
    for k in range(n):
        at = day + hours / 24 * k / n
        world.message(line, f"{line}-{name}{k}", at)
        if answered:
            world.message(line, f"{line}-{name}{k}", at + 0.001, "inbound")
    return world


def failing(world, day, n, line="+1"):
    """Failed sends to known chats, who write again, within six hours of that day."""
    for k in range(n):
        at = day + 0.25 * k / n
        world.message(line, f"{line}-c{k % 20}", at, failed=True)
        world.message(line, f"{line}-c{k % 20}", at + 0.001, "inbound")
    return world


def guesses(world, day=NOW, flags=(), line="+1"):
    """What each peer names for a change on that day."""
    changes = pl.DataFrame({"line": [line], "at": [world.at(day)]}, schema_overrides={"at": pl.Datetime("ms")})
    (row,) = simple_guesses(fleet(world, flags), changes).iter_rows(named=True)
    return row


def named(row):
    return tuple(row[m] for m in METHODS)


PLANTED = {
    "engagement": lambda w: [w.message("+1", f"+1-c{k % 20}", NOW - 0.5 + k / 100) for k in range(16)],
    "deliverability": lambda w: failing(w, NOW - 0.3, 12),
    "new_conversations": lambda w: opened(w, NOW - 0.3, 60),
    "send_pace": lambda w: [w.message("+1", f"+1-c{k % 3}", NOW - 0.2 + k / 2000) for k in range(200)],
    "opt_outs": lambda w: [
        w.opt_out("+1-c0", 1),
        *(w.message("+1", "+1-c0", NOW - 0.2 + k / 100) for k in range(8)),
    ],
}


@pytest.mark.parametrize("driver", PLANTED)
def test_the_largest_z_score_is_the_planted_signal(driver):
    world = steady()
    PLANTED[driver](world)
    assert guesses(world)["largest z-score"] == driver


def test_many_known_recipients_at_once_are_recipient_spread():
    world = World()
    for day in range(40):
        for k in range(60):
            world.message("+1", f"+1-c{k % 20 + 20 * (day % 2)}", day + 0.3 + k / 200)
    for k in range(36):
        world.message("+1", f"+1-c{k}", NOW - 0.2 + k / 500)
    assert guesses(world)["largest z-score"] == "recipient_spread"


def test_quiet_lines_are_unexplained_by_every_peer():
    assert named(guesses(steady())) == ("unexplained",) * 3


def test_a_score_is_the_distance_to_the_days_before_in_their_deviations():
    world = World()
    for day in range(40):
        for k in range(100 + (10 if day % 2 else -10)):
            world.message("+1", f"+1-c{k % 10}", day + 0.2 + k / 300)
    z = dict(zip([*SIGNALS, "flag"], guesses(world, day=40.0)["z"], strict=True))
    assert z["send_pace"] == pytest.approx((110 - 100) / 10)  # days of 90 and 110 by turns: deviation 10
    assert z["recipient_spread"] == 0
    for k in range(150):
        world.message("+1", f"+1-c{k % 10}", 39.1 + k / 3000)
    z = dict(zip([*SIGNALS, "flag"], guesses(world, day=40.0)["z"], strict=True))
    assert z["send_pace"] == pytest.approx((260 - 100) / 10)


def test_peers_differ_where_their_rules_do():
    world = steady()
    failing(world, NOW - 0.9, 10)
    opened(world, NOW - 0.3, 100, answered=True)
    row = guesses(world)
    assert row["prior order"] == "deliverability"  # first of the order among those beyond three deviations
    assert row["largest z-score"] == "new_conversations"

    world = steady()
    opened(world, NOW - 2.4, 600, hours=57)
    failing(world, NOW - 0.2, 14)
    row = guesses(world)
    assert row["last to cross"] == "deliverability"  # new chats were beyond two days earlier
    assert row["largest z-score"] == "new_conversations"


def test_last_to_cross_forgets_what_is_over():
    world = opened(steady(), NOW - 2.5, 100)
    failing(world, NOW - 0.9, 10)
    assert guesses(world)["last to cross"] == "deliverability"
    assert guesses(opened(steady(), NOW - 2.5, 100))["last to cross"] == "unexplained"


@pytest.mark.parametrize(("before", "flagged"), [(0.0, True), (1.9, True), (2.1, False), (-0.1, False)])
def test_a_flag_of_the_last_two_days_is_named_by_all(before, flagged):
    row = guesses(opened(steady(), NOW - 0.3, 60), flags=[("+1", NOW - before), ("+2", NOW)])
    assert (named(row) == ("flagged",) * 3) == flagged
    assert row["z"][-1] == flagged


def test_a_line_too_young_for_a_comparison_is_unexplained():
    assert named(guesses(opened(steady(first=33), NOW - 0.3, 60))) == ("unexplained",) * 3
    assert guesses(opened(steady(first=30), NOW - 0.3, 60))["largest z-score"] == "new_conversations"


def test_nothing_later_than_the_change_is_used():
    before = failing(opened(steady(), NOW - 0.3, 40), NOW - 0.2, 12)
    later = failing(opened(steady(days=NOW + 4), NOW - 0.3, 40), NOW - 0.2, 12)
    opened(later, NOW + 0.01, 300, name="later")
    later.message("+1", "+1-c0", NOW + 0.01, "inbound")
    assert guesses(later, flags=[("+1", NOW + 0.1)]) == guesses(before)


def test_other_lines_change_nothing():
    world = opened(steady(), NOW - 0.3, 60)
    alone = guesses(world)
    failing(world, NOW - 0.3, 200, line="+2")
    assert guesses(world) == alone
    assert named(guesses(world, line="+3")) == ("unexplained",) * 3


@pytest.fixture
def _machine():
    pytest.importorskip("interpret", reason="the labelled peer needs the extra `evaluate`")


def told(lines, rows, label, seed=0):
    """Cases of so many lines with z-scores of noise, and the driver of each; ``label(line, z)`` changes z and names it."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(lines):
        for _ in range(rows):
            z = rng.normal(0, 0.7, 7)
            driver = label(i, z)
            found.append(case(f"+{i}", driver=driver, z=z.tolist()))
    return cases(*found)


def of_its_signal(i, z):
    z[i % 4] += 9
    return SIGNALS[i % 4]


def right(found):
    return float((found[LABELLED] == found["driver"]).mean())


@pytest.mark.usefixtures("_machine")
def test_the_labelled_peer_finds_separable_causes():
    assert right(boosted(told(40, 3, of_its_signal))) > 0.9


@pytest.mark.usefixtures("_machine")
def test_the_labelled_peer_cannot_know_what_only_its_own_line_shows():
    coin = np.random.default_rng(5).random(60) < 0.5

    def by_line(i, z):
        z[:] = i / 2  # every line has a place of its own: its other rows would tell
        return "engagement" if coin[i] else "opt_outs"

    assert right(boosted(told(60, 3, by_line))) < 0.75


@pytest.mark.usefixtures("_machine")
def test_labels_of_a_line_do_not_change_what_is_said_of_it():
    rows = told(30, 3, of_its_signal)
    changed = rows.with_columns(driver=pl.when(pl.col("line") == "+7").then(pl.lit("flagged")).otherwise("driver"))
    mine = pl.col("line") == "+7"
    assert boosted(changed).filter(mine)[LABELLED].equals(boosted(rows).filter(mine)[LABELLED])


@pytest.mark.usefixtures("_machine")
def test_too_few_labels_leave_everything_unexplained():
    assert set(boosted(told(6, 2, of_its_signal))[LABELLED]) == {"unexplained"}
