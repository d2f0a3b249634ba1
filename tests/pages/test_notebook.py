"""The Why page's picture from Python: the same lanes as the app, without Streamlit."""

import subprocess
import sys

import pytest

from analysis import pipeline
from analysis.errors import UsageError
from analysis.pages._notebook import chart_why


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
