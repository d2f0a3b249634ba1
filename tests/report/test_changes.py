"""What changed since the last report: every line in its group, nothing of what came later, and how many are left out."""

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from analysis import pipeline
from analysis.pages import _words as words
from analysis.report import lines, report
from analysis.report.asof import AsOf
from analysis.report.changes import changes
from analysis.report.period import Period
from analysis.schema import SEVERITY
from tests.report.reading import Elements, plain
from tests.sweep import EVERY


def levels(rows: pl.DataFrame, at: datetime) -> dict[str, tuple[int, int]]:
    """How bad each line stood just before an instant: the slow way, by going through its changes."""
    found: dict[str, list[int]] = {}
    for line, when, kind, previous, new in rows.select("line", "at", "kind", "previous", "new").iter_rows():
        own = found.setdefault(line, [None, None])
        place = 0 if kind == "health" else 1
        if when < at:
            own[place] = SEVERITY.get(new, 0)
        elif own[place] is None:
            own[place] = SEVERITY.get(previous or "", 0)
    return {line: (a or 0, b or 0) for line, (a, b) in found.items()}


def test_groups_are_right_in_every_week_of_the_demo(demo_store):
    status, known = pipeline.status(demo_store), pipeline.settings(demo_store)
    seen = set()
    rows = pipeline.transitions(demo_store)
    ends = (rows["at"].unique().sort() + timedelta(minutes=1)).to_list()
    for end, days in [*((end, 1) for end in ends), *((end, 7) for end in ends[:: 1 if EVERY else 4])]:
        period = Period(end - timedelta(days=days), end)
        state = AsOf(demo_store, "", {**status, "newest": status["as_of"]}, known, "light", end=end)
        found = {c.line: c for c in changes(state, period)}
        then, now = levels(rows, period.start), levels(rows, end)
        own = rows.filter(pl.col("at") >= period.start, pl.col("at") < end)
        assert set(found) == set(own["line"])
        for line, c in found.items():
            a, b = then[line], now[line]
            want = {
                (False, True): {"new"},
                (True, False): {"solved"},
                (False, False): {"passed"},
                (True, True): {"worse"} if b > a else {"better"} if b < a else {"same", "better"},
            }[any(a), any(b)]
            assert c.group in want, (line, end)
            assert period.start <= words.instant(c.why.at) < end
            assert words.worsened(c.why) == (c.group in ("new", "worse", "passed", "same"))
            seen.add(c.group)
    assert {"new", "worse", "solved", "better", "passed"} <= seen


def test_a_past_report_knows_nothing_of_what_came_later(demo_store, monkeypatch):
    monkeypatch.setattr(lines, "_picture", lambda *_: ("", "", "", ""))  # words are looked at here
    falls = [e for e in pipeline.explanations(demo_store) if words.worsened(e)]
    end = words.instant(falls[len(falls) // 2].at) + timedelta(minutes=1)
    told = report(demo_store, until=end.isoformat())
    later = [e for e in pipeline.explanations(demo_store) if words.instant(e.at) >= end]
    text = told.markdown
    assert later
    assert not [e.headline for e in later if e.headline in plain(text)]
    assert told.says.state.status["counts_by_health"] == {
        **dict.fromkeys(("HEALTHY", "AT_RISK", "CRITICAL"), 0),
        **dict(told.says.state.lines()["health"].drop_nulls().value_counts().iter_rows()),
        "unknown": told.says.state.lines()["health"].null_count(),
    }
    severe = {line: level for line, level in levels(pipeline.transitions(demo_store), end).items() if any(level)}
    assert {r.line for r in told.says.fleet.needy} == set(severe)


def test_it_says_how_many_lines_it_leaves_out(demo_store, monkeypatch):
    monkeypatch.setattr(lines, "_picture", lambda *_: ("", "", "", ""))
    known = replace(pipeline.settings(demo_store), report_lines=1)
    monkeypatch.setattr(pipeline, "settings", lambda _: known)
    told = report(demo_store, since="2026-01-01")
    assert len(told.says.sections) == 1
    n = told.says.left_out
    assert n == pipeline.transitions(demo_store)["line"].n_unique() - 1
    assert f"{n} more lines changed" in plain(told.html)
    assert f"{n} more lines changed" in told.markdown
    whole = Elements(told.html).rows_of("Table: lines that changed")
    assert whole == sum(len(own) for _, _, own, _ in told.says.groups) == n + 1
    assert "report_lines = 1" in told.says.about["settings"]
