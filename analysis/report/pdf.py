"""An HTML report in; the same on A4 out, printed by a Chromium on this machine, with the period's end as its date instead of the clock's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from analysis.errors import LineHealthError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs that print a page without a window; the first that is found is used."""
WAIT_S = 300
_DATE = re.compile(rb"/(CreationDate|ModDate) \(D:[^)]*\)")


def browser() -> str | None:
    """Return the Chromium to print with: $LINEHEALTH_CHROMIUM, else one on the PATH, else None."""
    return os.environ.get("LINEHEALTH_CHROMIUM") or next((p for name in NAMES if (p := shutil.which(name))), None)


def as_pdf(html: str, *, made: datetime) -> bytes:
    """Return the pages of a report.

    Args:
        html: of the report.
        made: the date that the file gives as its own.

    Raises:
        LineHealthError: no Chromium on this machine, or it did not print.
    """
    program = browser()
    if program is None:
        raise LineHealthError(
            "PDF needs a Chromium, and none is on the PATH",
            where="report",
            fix="install chromium (Debian: apt install chromium) or name one in $LINEHEALTH_CHROMIUM; HTML and Markdown need none",
        )
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        page, out = Path(scratch) / "report.html", Path(scratch) / "report.pdf"
        page.write_text(html, encoding="utf-8")
        call = [
            program, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-pdf-header-footer", f"--user-data-dir={scratch}/profile", f"--print-to-pdf={out}",
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),  # its sandbox does not start for root
            page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(call, capture_output=True, timeout=WAIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            why = "took too long" if isinstance(e, subprocess.TimeoutExpired) else f"did not start ({e.strerror})"
            raise LineHealthError(
                f"Chromium {why}", where=program, fix="print the HTML from a browser instead"
            ) from None
        if not out.exists():
            raise LineHealthError(
                f"Chromium printed nothing (exit code {done.returncode})",
                where=program,
                fix="print the HTML from a browser instead",
            )
        return dated(out.read_bytes(), made)


def dated(pdf: bytes, made: datetime) -> bytes:
    """Return a PDF whose own dates are the one given, byte for byte as long as before: offsets inside it stay right."""
    stamp = f"D:{made:%Y%m%d%H%M%S}".encode()

    def put(found: re.Match[bytes]) -> bytes:
        head = b"/" + found[1] + b" (" + stamp
        return head + found[0][len(head) : -1] + b")"

    return _DATE.sub(put, pdf)
