"""The demo fleet's report of its last week, made once."""

import pytest

from analysis.report import Report, report


@pytest.fixture(scope="session")
def weekly(demo_store) -> Report:
    return report(demo_store)
