"""The app on the demo fleet and a Chromium, started once for each module of tests."""

import pytest

from tests.browser.driving import app, browser


@pytest.fixture(scope="module")
def address(demo_store):
    with app(demo_store) as base:
        yield base


@pytest.fixture(scope="module")
def chrome():
    with browser() as b:
        yield b
