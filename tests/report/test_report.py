"""The report says what the app and the verbs say, of its period only, the same each time, in one file that asks for nothing."""

import itertools
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta

import msgspec
import polars as pl
import pytest

import analysis as lh
from analysis import pipeline
from analysis.charts.printed import as_svg
from analysis.errors import StoreError, UsageError
from analysis.pages import _fleet, _html, _lanes, _why
from analysis.pages import _words as words
from analysis.pages._frames import clipped, trailing
from analysis.pages._store import Here
from analysis.report import lines, report
from analysis.report.asof import state_at
from analysis.report.changes import figures
from analysis.report.period import end_of, period_of
from tests.report.reading import Elements, plain

# ------------------------------------------------------------------ the same numbers


def test_its_sentence_and_tiles_are_those_of_the_fleet_page(weekly, demo_store):
    here = Here(
        demo_store, pipeline.snapshot(demo_store), pipeline.status(demo_store), pipeline.settings(demo_store), "light"
    )
    page = _fleet.fleet(here)
    assert weekly.title == _fleet.sentence(page)
    assert weekly.says.tiles[:4] == _fleet.tiles(page, here)
    assert [r.line for r in weekly.says.fleet.needy] == [r.line for r in page.needy]
    assert weekly.says.fleet.rows == page.rows


def test_its_counts_are_sums_of_the_daily_signals(weekly, demo_store):
    period = weekly.says.period
    assert (period.start.hour, period.end.hour, period.end - period.start) == (0, 0, timedelta(days=7))
    days = pipeline.signals(demo_store)
    for told, start in zip(figures(weekly.says.state, period), (period.start, period.before), strict=True):
        own = days.filter(pl.col("day") >= start.date(), pl.col("day") < (start + timedelta(days=7)).date())
        assert told == {name: own[name].sum() for name in told}
        assert told["outbound"] > 1000
        assert f"{told['replied']:,} of {told['mature']:,}" in plain(weekly.html)


def test_each_lines_part_tells_headline_shares_evidence_chats_and_steps_as_explain_does(weekly, demo_store):
    text = plain(weekly.html)
    assert weekly.says.sections
    for s in weekly.says.sections:
        (e,) = [
            e
            for e in pipeline.explanations(demo_store, line=s.change.line)
            if e.at == s.why.at and e.kind == s.why.kind
        ]
        assert e.headline in text
        shown = _html.shown(e.drivers)
        assert all(d.summary.rstrip(".") in text for d in shown)
        bar = _html.share_bar(e.drivers)
        assert bar in weekly.html
        told = [int(re.search(rf"<b>{words.DRIVER_WORDS[d.driver]} (\d+)\s%</b>", bar)[1]) for d in shown]
        assert all(abs(n - 100 * d.share) < 1 for n, d in zip(told, shown, strict=True))
        assert sum(told) == 100
        assert all(cell in weekly.html for row in _why.evidence_rows(e) for cell in row)
        assert all(c["chat_id"] in text for c in e.chats_to_fix[:7])
        assert all(a["action"] in text and a["expected_effect"] in text for a in e.actions)
        assert s.lanes.startswith("<svg")


def test_its_lanes_are_those_of_the_why_page(weekly, demo_store):
    for s in weekly.says.sections:
        e, line, here = s.why, s.change.line, weekly.says.state
        start, _ = _lanes.window(e, here.as_of)
        hours = pipeline.signals(demo_store, grain="hour", line=line, since=start - timedelta(days=29))
        pic = _lanes.picture(trailing(hours), e, here.settings, here.as_of)
        states = clipped(
            pipeline.spells(demo_store, line=line), pipeline.lines(demo_store), since=pic.start, until=pic.end
        )
        gaps = pipeline.gaps(demo_store, line=line, since=pic.start, until=pic.end)
        done = _lanes.did(pipeline.actions(demo_store, line=line), pic, here.zone)
        spec = _lanes.lanes_spec(pic.drawn, states, gaps, done, e, pic, here.zone, "light")
        assert s.lanes == as_svg(spec, width=lines.WIDTH, alt=s.alt, name=s.anchor)


def test_a_lines_actions_are_its_own_and_the_whole_fleets(store, write):
    rows = [f"{i},+1415555010{i},c{i},outbound,2026-03-0{i}T00:00:00Z\n" for i in (1, 2)]
    pipeline.load(write("m.csv", "message_id,line,chat_id,direction,sent_at\n" + "".join(rows)), store=store)
    for line in (None, "+14155550101", "+14155550102"):
        pipeline.add_action("pause", line=line, at="2026-03-01", store=store)
    told = state_at(store, None).read(pipeline.actions, line="+14155550101")
    assert told.equals(pipeline.actions(store, line="+14155550101"))
    assert told["line"].to_list() == [None, "+14155550101"]


def test_what_to_do_is_every_step_not_yet_done_the_worst_line_first(weekly, demo_store):
    told = [(s["line"], s["action"]) for s in weekly.says.steps]
    want, done, steps = [], 0, []
    for row in weekly.says.fleet.needy:
        ticks = {s["action"]: s["done"] for s in pipeline.progress(demo_store, line=row.line, at=row.reason.at)}
        steps.append((row, [a["action"] for a in row.reason.actions if a.get("driver")], ticks))
    for place in range(6):
        for row, own, ticks in steps:
            if place < len(own):
                done += ticks[own[place]] is True
                want += [] if ticks[own[place]] is True else [(row.line, own[place])]
    assert told == want[: len(told)]
    assert len(told) + weekly.says.steps_left >= len(want)
    assert weekly.says.steps_done == done > 0
    text = plain(weekly.html)
    assert all(f"{i}. **{a}**" in weekly.markdown.replace("\\", "") for i, (_, a) in enumerate(told, 1))
    assert f"{words.plural(done, 'step')} that the data shows as done" in text


def test_how_other_lines_got_over_the_same_cause_is_counted(demo_store, monkeypatch):
    known = pipeline.explanations(demo_store)
    counted: dict[str, list[float | None]] = {}
    for e in known:
        if e.kind == "health" and e.previous == "HEALTHY" and words.worsened(e):
            back = [o.at for o in known if (o.line, o.kind, o.new) == (e.line, "health", "HEALTHY") and o.at > e.at]
            hours = (words.instant(min(back)) - words.instant(e.at)).total_seconds() / 3600 if back else None
            counted.setdefault(e.drivers[0].driver, []).append(hours)
    main = max(counted, key=lambda d: (d != "unexplained", len([h for h in counted[d] if h is not None])))
    hours = counted[main]
    monkeypatch.setattr(lines, "LEAST_OVER", 2)
    e = next(
        e
        for e in known
        if e.kind == "health" and e.drivers[0].driver == main and e.previous == "HEALTHY" and words.worsened(e)
    )
    stranger = msgspec.structs.replace(e, line="+19995550100")  # all of the fleet are its other lines
    state = state_at(demo_store, None)
    over = sorted(h for h in hours if h is not None)
    (told,) = [t for t in lines.worked_before(stranger, state) if t.startswith("On the other lines")]
    assert told.startswith(f"On the other lines {len(over)} of {len(hours)} falls")
    assert (
        words.lasting(over[len(over) // 2] if len(over) % 2 else sum(over[len(over) // 2 - 1 : len(over) // 2 + 1]) / 2)
        in told
    )


# ------------------------------------------------------------------ the same bytes


def test_the_same_store_gives_the_same_bytes_wherever_and_whenever(weekly, demo_store, tmp_path):
    other = shutil.copy(demo_store, tmp_path / "elsewhere.duckdb")
    pipeline.alerts(other, mark=True)  # the store is written again: another snapshot, the same contents
    assert pipeline.snapshot(other) != pipeline.snapshot(demo_store)
    again = lh.report(other)  # as a notebook has it
    assert again.html == weekly.html
    assert again.markdown == weekly.markdown
    assert str(tmp_path) not in again.html
    assert "srcdoc" in again._repr_html_()


def test_the_footer_names_what_it_was_made_of(weekly, demo_store):
    text = plain(weekly.html)
    assert pipeline.fingerprint(demo_store) in text
    assert weekly.says.about["version"] in text
    assert "all as by default" in text
    assert pipeline.fingerprint(demo_store) in weekly.markdown


def test_another_setting_is_another_fingerprint(store, write):
    pipeline.load(
        write("m.csv", "message_id,line,chat_id,direction,sent_at\n1,+14155550101,c,outbound,2026-03-01T00:00:00Z\n"),
        store=store,
    )
    before = pipeline.fingerprint(store)
    pipeline.set_setting("report_days", "3", store=store)
    assert pipeline.fingerprint(store) != before
    told = report(store)
    assert told.says.period.end - told.says.period.start == timedelta(days=3)
    assert "report_days = 3" in plain(told.html)


# ------------------------------------------------------------------ one file that asks for nothing


def test_nothing_in_it_runs_or_leads_outside(weekly):
    found = Elements(weekly.html).found
    assert not [tag for tag, _ in found if tag in ("script", "link", "iframe", "object", "embed", "img", "form")]
    assert not [a for _, a in found for name in a if name.startswith("on")]
    assert all(a["href"].startswith("#") for tag, a in found if tag == "a")
    ids = [a["id"] for _, a in found if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for tag, a in found if tag == "a"} <= set(ids)
    used = re.findall(r"url\(([^)]{0,20})", weekly.html)
    assert all(u.startswith(("#", "data:font/woff2")) for u in used)
    assert {u[1:] for u in re.findall(r"url\((#[^)]+)\)", weekly.html)} <= set(ids)
    assert "<svg" not in weekly.markdown


def test_every_picture_says_what_it_shows_and_headings_skip_no_level(weekly):
    found = Elements(weekly.html).found
    pictures = [a for tag, a in found if tag == "svg"]
    assert len(pictures) >= len(weekly.says.sections) + 2
    assert all(a.get("role") == "img" and len(a.get("aria-label") or "") > 12 for a in pictures)
    lanes = [a["aria-label"] for a in pictures if "Lanes from" in (a["aria-label"] or "")]
    assert [s.alt for s in weekly.says.sections] == lanes
    heads = [int(tag[1]) for tag, _ in found if re.fullmatch(r"h[1-6]", tag)]
    assert heads.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(heads))


HOSTILE = '"><img src=x onerror=alert(1)>|[x](javascript:alert(1))'


def test_hostile_names_are_words_and_nothing_else(store, tmp_path):
    rows = [
        f'm{i},"{HOSTILE.replace(chr(34), chr(34) * 2)}",<b>chat{i % 5}</b>,{"inbound" if i % 3 == 2 else "outbound"},{datetime(2026, 3, 1) + timedelta(minutes=20 * i):%Y-%m-%dT%H:%M:%SZ}\n'
        for i in range(1500)
    ]
    messages = tmp_path / "<svg onload=alert(1)>.csv"
    messages.write_text(
        "message_id,line,chat_id,direction,sent_at\n" + "".join(rows) + "x,+14155550101,c,outbound,no time\n"
    )
    changed = tmp_path / "changes.csv"
    quoted = HOSTILE.replace('"', '""')
    changed.write_text(f'line,changed_at,previous_health,new_health\n"{quoted}",2026-03-20T12:00:00Z,HEALTHY,AT_RISK\n')
    pipeline.load([messages, changed], store=store)
    pipeline.add_action("slower", line=HOSTILE, at="2026-03-18", label="<i onclick=x>", store=store)
    told = report(store)
    assert [c.line for s in told.says.sections for c in [s.change]] == [HOSTILE]
    found = Elements(told.html).found
    assert not [tag for tag, _ in found if tag in ("img", "script", "b0")]
    assert not [a for _, a in found for name in a if name.startswith("on")]
    assert "&lt;img src=x" in told.html
    assert "&lt;svg onload" in told.html
    assert "&lt;i onclick" in told.html  # in the picture
    assert "<img" not in told.markdown.replace(r"\<img", "")
    assert not re.search(r"(?<!\\)\](?=\(javascript)", told.markdown)
    assert all(line.count("|") - line.count(r"\|") in (0, 4, 5, 6, 8) for line in told.markdown.splitlines())


def test_it_is_made_without_streamlit():
    code = "import sys, analysis.report.render, analysis.cli.report; print('streamlit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ------------------------------------------------------------------ periods and files


def test_the_next_report_starts_where_the_last_one_ended(weekly, demo_store, tmp_path):
    known, newest = pipeline.settings(demo_store), datetime(2026, 11, 29, 6, 15)
    for ending in ("html", "md"):
        last = weekly.write(tmp_path / f"last.{ending}")
        assert end_of(last) == weekly.says.period.end
        period = period_of(newest, known, since=None, until=None, last=last)
        assert (period.start, period.end) == (weekly.says.period.end, datetime(2026, 11, 29, 7))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"since": "2026-11-01", "until": "2026-11-01"}, "ends"),
        ({"since": "2030-01-01"}, "ends"),
        ({"since": "2026-11-01", "since_last": "x.html"}, "two beginnings"),
        ({"since_last": "no-such-file.html"}, "cannot be read"),
        ({"since_last": __file__}, "not a report"),
    ],
)
def test_a_period_that_cannot_be_is_said(demo_store, arguments, said):
    with pytest.raises(UsageError, match=said):
        report(demo_store, **arguments)


def test_a_week_without_changes_says_so(demo_store):
    told = report(demo_store, since="2026-09-24", until="2026-09-25")
    assert told.says.sections == []
    assert "No line changed its health or status in this period." in plain(told.html)
    assert "New: none" in plain(told.html)
    assert "Solved: none" in told.summary


def test_a_store_without_data_is_an_error_that_says_what_to_do(store):
    with pytest.raises(StoreError, match="load exports first"):
        report(store)


def test_files_by_their_ending(weekly, tmp_path, command, demo_store):
    assert weekly.write(tmp_path / "r.html").read_text(encoding="utf-8") == weekly.html
    assert weekly.write(tmp_path / "r.txt", "md").read_text(encoding="utf-8") == weekly.markdown
    with pytest.raises(UsageError, match=r"end in \.html"):
        weekly.write(tmp_path / "r.txt")
    code, _, told = command("report", "--store", demo_store, "--out", tmp_path / "r.docx")
    assert (code, "end in .html" in told) == (2, True)


def test_pdf_without_a_chromium_says_what_to_install(weekly, monkeypatch, tmp_path, command, demo_store):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LINEHEALTH_CHROMIUM", raising=False)
    from analysis.errors import LineHealthError

    weekly.__dict__.pop("pdf", None)  # another test may have made it already
    with pytest.raises(LineHealthError, match="install chromium"):
        weekly.write(tmp_path / "r.pdf")
