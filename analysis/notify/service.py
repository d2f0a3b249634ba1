"""One message to one address through apprise: whether it arrived, and nothing of the address in any log."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from analysis.errors import UsageError


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise UsageError(
            "sending to services needs the extra notify",
            where="apprise",
            fix='pip install -c constraints.txt -e ".[notify]"; a folder needs none',
        ) from None
    log = logging.getLogger("apprise")  # says addresses and answers; what a person has to know is said by us
    log.handlers, log.propagate = [logging.NullHandler()], False
    return apprise


def _opened(address: str) -> Any:
    apprise = _apprise()
    asset = apprise.AppriseAsset(async_mode=False, app_id="Line Health", app_desc="Line Health", app_url="")
    found = apprise.Apprise(asset=asset)
    with (
        warnings.catch_warnings()
    ):  # its plugins are imported here, one of which looks for a module that later Pythons have no more
        warnings.simplefilter("ignore", DeprecationWarning)
        return found if found.add(address) else None


def kind_of(address: str) -> str | None:
    """Return the scheme of an address that apprise understands, else None; UsageError without apprise."""
    return address.split("://", 1)[0].lower() if _opened(address) is not None else None


def delivered(address: str, *, title: str, body: str, files: list[Path]) -> bool:
    """Send once; return whether the service took it. What goes wrong is a False: its words may hold the address."""
    service = _opened(address)
    if service is None:
        return False
    attach = [str(f) for f in files] or None
    try:
        return bool(service.notify(title=title, body=body, body_format="text", attach=attach))
    except Exception:  # a plugin of apprise may raise anything, with the address in it
        return False
