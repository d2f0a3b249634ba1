"""The Why page's picture from Python: the same lanes as the app, without Streamlit."""

import re
import subprocess
import sys
from html import escape, unescape

import msgspec
import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.pages._card import Explanations, card
from analysis.pages._notebook import chart_why, explain


def test_a_notebook_draws_the_lanes_of_a_change(demo_store):
    told = chart_why(demo_store, line="+16025550104").to_dict()
    assert len(told["vconcat"]) >= 3
    assert {m["kind"] for m in told["datasets"]["moments"]} == {"began", "changed"}
    first = pipeline.explanations(demo_store, line="+16025550104")[0]
    other = chart_why(demo_store, line="+16025550104", at=first.at, theme="dark").to_dict()
    assert other["datasets"]["moments"] != told["datasets"]["moments"]


@pytest.mark.parametrize("asked", [{"line": "+10000000000"}, {"line": "+16025550104", "at": "1999-01-01"}])
def test_a_wrong_line_or_time_is_one_clear_sentence(demo_store, asked):
    with pytest.raises(UsageError) as error:
        chart_why(demo_store, **asked)
    assert error.value.fix


def test_it_needs_no_streamlit():
    code = "import sys, analysis.pages._notebook; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HOSTILE = '<script>alert("1")</script>'


def test_a_notebook_shows_changes_as_cards_the_newest_first(demo_store):
    found = explain(demo_store)
    html = found._repr_html_()
    newest = [e.headline for e in found[-5:][::-1]]
    shown = [html.index(escape(h)) for h in newest]
    assert shown == sorted(shown)
    assert html.count('<article class="lh-card">') == 6  # five changes, and one that says how many are left
    assert f"{len(found) - 5} earlier changes" in html
    assert "No change" in explain(demo_store, since="2030-01-01")._repr_html_()


def test_a_card_says_what_the_explanation_says(demo_store):
    e = explain(demo_store, line="+14155550105").worse[-1]
    plain = unescape(re.sub("<[^>]+>", "", e._repr_html_()))
    for words in (e.headline, e.drivers[0].summary, e.actions[0]["action"], e.actions[0]["expected_effect"]):
        assert words in plain
    assert "Delivery 81" in plain
    assert "+1 415 555 0105" in plain


def test_a_card_holds_no_script_and_escapes_every_word(demo_store):
    e = explain(demo_store).worse[-1]
    bad = msgspec.structs.replace(
        e, line=HOSTILE, headline=HOSTILE, new=HOSTILE, previous=HOSTILE, confidence=HOSTILE, notes=[HOSTILE],
        drivers=[msgspec.structs.replace(d, summary=HOSTILE) for d in e.drivers],
        actions=[{"action": HOSTILE, "expected_effect": HOSTILE}],
    )  # fmt: skip
    html = bad._repr_html_()
    assert "<script" not in html
    assert card(bad).count("&lt;script&gt;") >= 7
    assert "http" not in html  # nothing is fetched


def test_changes_stay_a_list_that_can_be_cut_and_counted(demo_store):
    found = explain(demo_store)
    assert list(found) != []
    assert [e.headline for e in found] == [e.headline for e in pipeline.explanations(demo_store)]
    assert isinstance(found[:3], Explanations)
    assert len(found[:3]) == 3
    assert {e.new for e in found.worse} <= {"AT_RISK", "CRITICAL", "FLAGGED"}
    frame = found.frame
    assert frame["headline"].to_list() == [e.headline for e in found]
    assert frame["share"].to_list() == [e.drivers[0].share for e in found]
    assert msgspec.json.encode(list(found)) == msgspec.json.encode(pipeline.explanations(demo_store))
