"""A store and a period in; one self-contained document out (HTML, Markdown, PDF): what changed, who needs somebody, what to do, and why.

Every figure is one that a verb of the pipeline gives, in the words of the pages: ``pages`` has them, and this room reads the parts of it that
need no Streamlit. No clock is read: the same store, settings and period give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from analysis import pipeline
from analysis.errors import StoreError, UsageError
from analysis.pages._words import instant
from analysis.pipeline import When, Where
from analysis.pipeline.opened import kept_open
from analysis.report.asof import state_at
from analysis.report.document import Document, document
from analysis.report.period import period_of

Format = Literal["html", "md", "pdf"]
ENDINGS: dict[str, Format] = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".pdf": "pdf"}
TRIES = 5
"""How often a report is read anew because the store was replaced meanwhile: every figure is of one state."""


@dataclass(frozen=True)
class Report:
    """One report; each form is made when it is asked for."""

    says: Document

    @property
    def title(self) -> str:
        """Its finding in a sentence."""
        return self.says.title

    @cached_property
    def html(self) -> str:
        """One file that asks for nothing outside: pictures, fonts and colours are in it, and no script."""
        from analysis.report.render import as_html

        return as_html(self.says)

    @cached_property
    def markdown(self) -> str:
        """The same in Markdown, without the pictures."""
        from analysis.report.render import as_markdown

        return as_markdown(self.says)

    @cached_property
    def pdf(self) -> bytes:
        """The HTML on A4, printed by a Chromium on this machine. Raises LineHealthError where there is none."""
        from analysis.report.pdf import as_pdf

        return as_pdf(self.html, made=self.says.period.end)

    @property
    def summary(self) -> str:
        """The first screen as text, for a chat or the body of a mail."""
        from analysis.report.render import as_summary

        return as_summary(self.says)

    def _repr_html_(self) -> str:
        from html import escape

        return f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:800px;border:0" title="Line Health report"></iframe>'

    def content(self, form: Format) -> bytes:
        """Return the bytes of its file."""
        return self.pdf if form == "pdf" else (self.html if form == "html" else self.markdown).encode()

    def write(self, path: str | Path, form: Format | None = None) -> Path:
        """Write it to a file and return its path.

        Args:
            path: of the file.
            form: "html", "md" or "pdf"; by the file's ending where None.

        Raises:
            UsageError: an ending that names no form, or a file that cannot be written.
        """
        file = Path(path)
        kind = form or ENDINGS.get(file.suffix.lower())
        if kind is None:
            raise UsageError(
                "the file must end in .html, .md or .pdf", where=str(file), fix="rename it, or name a --format"
            )
        content = self.content(kind)
        try:
            file.write_bytes(content)
        except OSError as e:
            raise UsageError(
                f"cannot be written ({e.strerror})",
                where=str(file),
                fix="name a folder that exists and that you may write to",
            ) from None
        return file


def report(
    store: Where = None, *, since: When = None, until: When = None, since_last: str | Path | None = None
) -> Report:
    """Return the report of a period.

    Args:
        store: path of the store.
        since: its first instant; ``report_days`` (a setting) before its end where not given.
        until: its end, not included; the end of the hour of the newest event where not given.
        since_last: the report before it (HTML or Markdown): start where that one ended.

    Raises:
        StoreError: no store there, or nothing in it. UsageError: a period that ends before it starts.

    Example:
        >>> week = lh.report(since="2026-11-15", until="2026-11-22")
        >>> week.title
        '3 of 12 lines need you.'
    """
    for _ in range(TRIES):
        before = pipeline.snapshot(store)
        with kept_open():
            made = _report(store, since=since, until=until, since_last=since_last)
        if pipeline.snapshot(store) == before:
            return made
    raise StoreError(
        "the store changed each time the report was read",
        where=str(pipeline.status(store)["store"]),
        fix="make it when no load runs",
    )


def _report(store: Where, *, since: When, until: When, since_last: str | Path | None) -> Report:
    status = pipeline.status(store)
    if status["as_of"] is None:
        raise StoreError(
            "nothing is loaded yet", where=str(status["store"]), fix="load exports first: linehealth load PATH"
        )
    last = Path(since_last) if since_last is not None else None
    period = period_of(instant(status["as_of"]), pipeline.settings(store), since=since, until=until, last=last)
    return Report(document(state_at(store, period.end), period))
