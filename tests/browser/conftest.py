"""The app on the demo fleet and a Chromium, started once for all tests of this folder.

Not for the session: while Playwright is at work, no other test of the process may run a loop of its own.
"""

import pytest

from tests.browser.driving import app, browser


@pytest.fixture(scope="package")
def address(demo_store):
    with app(demo_store) as base:
        yield base


@pytest.fixture(scope="package")
def chrome():
    with browser() as b:
        yield b
