"""The page "Did it help?": what it says of actions, and recording and forgetting them from it."""

import html
import shutil
from datetime import timedelta

import polars as pl
import pytest

from analysis import pipeline
from analysis.pages import _words as words
from tests.ahead.made import START
from tests.helped.made import line as moved_line
from tests.helped.test_spread import FALL
from tests.helped.test_spread import fleet as moved_fleet
from tests.pages.conftest import words_of


@pytest.fixture
def own(demo_store, tmp_path):
    return shutil.copy(demo_store, tmp_path / "own.duckdb")


@pytest.fixture
def fall(own):
    falls = pipeline.transitions(own).filter(pl.col("worsening"), pl.col("kind") == "health").sort("at")
    return falls.select("line", "at").row(0)


def test_the_page_shows_each_verdict_with_its_sentence_and_counts_them_in_its_heading(own, fall, open_app):
    line, at = fall
    pipeline.add_action("new_copy", line=line, at=at + timedelta(hours=9), label="copy B", store=own)
    told = pipeline.helped(own)
    page = open_app(own, "helped")
    assert not page.exception
    text = words_of(page)
    assert all(t.sentence in html.unescape(text) for t in told)
    assert "New copy: copy B" in text
    n = sum(t.of.verdict == "helped" for t in told)
    assert (
        len(told) == 1
        or f"{n} of {len(told)} actions helped" in text
        or f"{len(told)} actions: whether they helped" in text
    )


def test_an_action_recorded_on_the_page_is_kept_and_can_be_forgotten(own, open_app):
    line = pipeline.lines(own)["line"][0]
    page = open_app(own, "helped")
    page.selectbox(key="act_kind").select("Pause")
    page.selectbox(key="act_line").select(words.line_name(line))
    page.text_input(key="act_label").input("half pace")
    page.button(key="act_record").click().run()
    (row,) = pipeline.actions(own).iter_rows(named=True)
    assert (row["line"], row["kind"], row["label"], row["source"]) == (line, "pause", "half pace", "hand")
    assert "Pause: half pace" in words_of(page)
    page.button(key="act_forget").click().run()
    assert pipeline.actions(own).is_empty()


def test_a_label_with_a_number_is_refused_on_the_page_and_nothing_is_kept(own, open_app):
    page = open_app(own, "helped")
    page.text_input(key="act_label").input("call 415 555 0123")
    page.button(key="act_record").click().run()
    assert "may hold a phone number" in page.error[0].value
    assert "0123" not in page.error[0].value
    assert pipeline.actions(own).is_empty()


def test_what_was_done_is_marked_on_the_lanes_of_why_with_its_words(own, fall, open_app):
    line, at = fall
    pipeline.add_action("slower", line=line, at=at + timedelta(hours=9), label="half pace", store=own)
    pipeline.add_action("deploy", at=at - timedelta(days=1), store=own)
    pipeline.add_action("other", line=line, at=at - timedelta(days=40), store=own)
    own_ones = pipeline.explanations(own, line=line)
    key = words.change_key(next(e for e in own_ones if words.instant(e.at) == at), own_ones)
    text = words_of(open_app(own, "why", line=words.line_key(line), at=key))
    assert "Dotted, what was done: Deploy" in text
    assert "Slower pace: half pace" in text
    assert "Other" not in text.split("Dotted, what was done")[1].split("</p>")[0]


def test_a_pattern_that_moved_is_told_from_exports_with_recipients_to_the_page(tmp_path, open_app):
    opened = moved_fleet().sort("at")
    people = {who: f"+1202556{i:04d}" for i, who in enumerate(opened["recipient"].unique().sort())}
    sends = opened.select(
        "line", recipient=pl.col("recipient").replace_strict(people), direction=pl.lit("outbound"), sent_at=pl.col("at")
    )
    sends.write_csv(tmp_path / "messages.csv", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    fell = START + timedelta(days=FALL)
    (tmp_path / "transitions.csv").write_text(
        f"line,changed_at,previous_health,new_health\n{moved_line(0)},{fell:%Y-%m-%dT%H:%M:%SZ},HEALTHY,AT_RISK\n"
    )
    store = tmp_path / "store.duckdb"
    pipeline.load([tmp_path / "messages.csv", tmp_path / "transitions.csv"], store=store)
    (row,) = pipeline.spread(store).iter_rows(named=True)
    assert (row["from_line"], row["to_line"], row["shared"], row["of"]) == (moved_line(0), moved_line(1), 30, 54)
    text = html.unescape(words_of(open_app(store, "helped")))
    assert "A pattern moved on to another line" in text
    assert row["sentence"] in text
    assert not any(number in text for number in people.values())
