"""The example of a login, filled in for a provider on this machine: nobody sees a line before, who is let in does, others never."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.bench.chromium import free_port
from tests.browser.driving import NEEDS_CHROMIUM, app, settle, window

pytestmark = NEEDS_CHROMIUM
EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "secrets.toml"
ADA, EVE = "ada", "eve"


@pytest.fixture(scope="module")
def provider():
    people = {ADA: "Ada@Example.com", EVE: "eve@example.com.evil.org"}
    claims = [json.dumps({"sub": who, "email": email, "email_verified": True}) for who, email in people.items()]
    port, quiet = free_port(), subprocess.DEVNULL
    call = [sys.executable, "-m", "oidc_provider_mock", "-p", str(port)]
    process = subprocess.Popen(
        [*call, *(word for c in claims for word in ("--user-claims", c))], stdout=quiet, stderr=quiet
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def guarded(provider, demo_store, tmp_path_factory):
    port = free_port()
    told = EXAMPLE.read_text()
    for key, value in {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": "0123456789abcdef" * 4,
        "client_id": "line-health",
        "client_secret": "any",
        "server_metadata_url": f"{provider}/.well-known/openid-configuration",
    }.items():
        told, times = re.subn(rf'(?m)^{key} = ".*"$', f'{key} = "{value}"', told)
        assert times == 1
    secrets = tmp_path_factory.mktemp("login") / "secrets.toml"
    secrets.write_text(told)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
        patched.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the provider of this test speaks no TLS
        with app(demo_store, port=port) as base:
            yield base


def _enter(page, guarded, who: str) -> None:
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name=who, exact=True).click()
    page.wait_for_url(f"{guarded}/**")


def test_who_is_let_in_sees_lines_and_leaves_again(chrome, guarded):
    with window(chrome) as (page, _):
        page.goto(f"{guarded}/why")
        page.get_by_text("Log in to see the lines").wait_for()
        assert "+1" not in page.inner_text("body")
        _enter(page, guarded, ADA)
        settle(page)
        assert "+1" in page.inner_text("body")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/end_session?**")  # the provider asks whether to end its own session too
        page.get_by_role("button", name="End session").click()
        page.get_by_text("Log in to see the lines").wait_for()
        page.goto(f"{guarded}/data")
        page.get_by_text("Log in to see the lines").wait_for()
        assert "+1" not in page.inner_text("body")


def test_who_is_logged_in_with_another_address_sees_nothing(chrome, guarded):
    with window(chrome) as (page, _):
        page.goto(f"{guarded}/why")
        _enter(page, guarded, EVE)
        page.get_by_text("not among those who may see this").wait_for()
        assert "+1" not in page.inner_text("body")
        assert not page.locator('[data-testid="stVegaLiteChart"]').count()
        assert page.get_by_role("button", name="Log out").count() == 1
