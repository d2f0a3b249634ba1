"""The app behind the user's own login: off by default; where it is set up, who is not let in sees nothing of the store."""

import tomllib

import pytest
import yaml

from analysis.pages._login import may_enter
from tests.opening import ROOT, opened

AUTH = tomllib.loads((ROOT / "deploy" / "examples" / "secrets.toml").read_text())


@pytest.mark.parametrize("page", ["fleet", "why", "data"])
def test_who_is_not_logged_in_sees_a_button_and_nothing_of_the_store(monkeypatch, demo_store, page):
    monkeypatch.setenv("LINEHEALTH_STORE", str(demo_store))
    at = opened(page, secrets=AUTH)
    assert not at.exception
    said = "".join(h.proto.body for h in at.get("html"))
    assert "Log in to see the lines" in said
    assert [b.label for b in at.button] == ["Log in"]
    assert "+1" not in said
    assert not at.get("vega_lite_chart")
    assert not at.dataframe
    assert not at.selectbox


@pytest.mark.parametrize(
    ("who", "allowed", "enters"),
    [
        ({"is_logged_in": False, "email": "ada@example.com"}, [], False),
        ({"is_logged_in": True}, [], True),
        ({"is_logged_in": True, "email": "Ada@Example.com"}, ["@example.com"], True),
        ({"is_logged_in": True, "email": "ada@example.com"}, ["ada@example.com"], True),
        ({"is_logged_in": True, "email": "ada@example.com.evil.org"}, ["@example.com"], False),
        ({"is_logged_in": True, "email": "ada@notexample.com"}, ["@example.com"], False),
        ({"is_logged_in": True, "email": "ada@example.com", "email_verified": False}, ["@example.com"], False),
        ({"is_logged_in": True}, ["@example.com"], False),
        ({}, ["@example.com"], False),
    ],
)
def test_who_may_enter(who, allowed, enters):
    assert may_enter(who, allowed) is enters


def test_the_example_has_what_streamlit_asks_for_and_the_workflow_parses():
    from streamlit.auth_util import validate_auth_credentials  # noqa: F401  # the name of the check, should it move

    assert {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"} <= AUTH["auth"].keys()
    assert AUTH["auth"]["redirect_uri"].endswith("/oauth2callback")
    flow = yaml.safe_load((ROOT / "deploy" / "examples" / "audit.yml").read_text())
    assert "pip-audit" in flow["jobs"]["audit"]["steps"][-1]["run"]
    assert flow["permissions"] == {"contents": "read"}
