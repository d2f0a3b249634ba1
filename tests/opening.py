"""A page of the app opened without a browser, as by a link to it: that page alone is drawn."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
# every AppTest asks anew which installed packages bring components: 0.2 s that a server takes once, when it starts
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def opened(
    page: str = "fleet",
    query: dict[str, str] | None = None,
    *,
    session: dict[str, Any] | None = None,
    secrets: dict[str, Any] | None = None,
) -> AppTest:
    """Draw a page of the store that ``$LINEHEALTH_STORE`` names; ``query`` is the address."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.secrets.update(secrets or {})
    for key, value in (session or {}).items():
        at.session_state[key] = value
    for key, value in (query or {}).items():
        at.query_params[key] = value
    return (at if page == "fleet" else at.switch_page(f"analysis/pages/{page}.py")).run()
