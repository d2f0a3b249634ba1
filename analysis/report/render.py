"""A document in; HTML, Markdown and a summary out: templates lay it out, every value from the store is escaped on the way."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis import pipeline
from analysis.charts.theme import look, repaint, state_word, tokens
from analysis.pages import _fleet as fleet
from analysis.pages import _html as html
from analysis.pages import _quality as quality
from analysis.pages import _words as words
from analysis.report.document import NEEDY, QUARANTINED, Document, pictures
from analysis.report.period import MARK

HERE = Path(__file__).parent / "templates"
FONTS = {"Source Sans": "SourceSansVF-Upright*.woff2", "Source Serif": "SourceSerifVariable-Roman*.woff2"}
"""Fonts of the app, which come with Streamlit (SIL Open Font License), so that a report looks as the app does on any machine."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")


@lru_cache
def fonts() -> str:
    """Return the app's fonts as CSS that holds them; without Streamlit's files the reader's own fonts are used."""
    found = find_spec("streamlit")  # finds its folder; nothing of it is imported
    root = Path(found.origin).parent / "static" if found and found.origin else None
    faces = []
    for family, pattern in FONTS.items():
        file = next(iter(sorted(root.rglob(pattern))), None) if root else None
        if file is not None:
            data = b64encode(file.read_bytes()).decode()
            faces.append(
                f'@font-face{{font-family:"{family}";font-weight:200 900;src:url(data:font/woff2;base64,{data}) format("woff2")}}'
            )
    return "\n".join(faces)


def style() -> str:
    """Return the style sheet: the app's colours and rules, those of a document on top, and the dark colours of pictures."""
    own = (HERE / "report.css").read_text(encoding="utf-8")
    return "\n".join([fonts(), tokens(":root"), look(), own, repaint(".lh-chart")])


def plain(text: Any) -> str:
    """Return a text as it may stand in Markdown: no mark, no tag, no new line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "line": words.line_name,
        "percent": words.percent,
        "count": words.count,
        "badge": lambda state: Markup(html.badge(state)),
        "whole": lambda text: Markup(html.whole(text)),
        "plural": words.plural,
        "word": words.plain_state,
        "mark": state_word,
        "md": plain,
        "driver": words.DRIVER_WORDS.get,
    }
    return made


def _of(d: Document) -> dict[str, Any]:
    """Return what both templates use."""
    return {
        "d": d,
        "about": d.about,
        "mark_name": MARK,
        "period": d.period.told(d.state.settings),
        "moment": lambda at: words.moment(at, d.zone, year=True),
        "day": lambda e: words.moment(words.instant(e.at), d.zone),
        "rate": lambda row: fleet.rate(row.numbers.get("replied") or 0, row.numbers.get("mature") or 0),
        "since": fleet.since_words,
        "used": fleet.used,
        "changed": [r for r in d.settings if r["value"] != r["default"]],
        "needy": d.fleet.needy[:NEEDY],
        "needy_left": max(0, len(d.fleet.needy) - NEEDY),
        "refused": list(d.refused.head(QUARANTINED).iter_rows(named=True)),
        "refused_rows": int(d.refused["rows"].sum()),
        "refused_left": max(0, d.refused.height - QUARANTINED),
        "gaps_title": quality.gaps_title(d.gaps, d.state),
        "shares": lambda e: html.shown(e.drivers),
    }


def as_html(d: Document) -> str:
    """Return the whole report as one HTML file."""
    told: str = (
        _environment()
        .get_template("report.html.j2")
        .render(
            **_of(d),
            style=Markup(style()),
            safe=Markup,
            share_bar=lambda e: Markup(html.share_bar(e.drivers)),
            table=lambda heads, rows, least=0: Markup(html.table(heads, rows, least=least)),
            pictures=lambda row: tuple(Markup(p) for p in pictures(row, d.fleet.window)),
            gap_heads=quality.GAPS,
            gap_cells=quality.gap_cells(d.gaps, d.state),
        )
    )
    return pipeline.few(told, d.state.settings.report_small_group)


def as_markdown(d: Document) -> str:
    """Return the whole report as Markdown, without its pictures."""
    told = (
        _environment()
        .get_template("report.md.j2")
        .render(
            **_of(d),
            cells=lambda row: [plain(_text(cell)) for cell in row],
            gap_cells=quality.gap_cells(d.gaps, d.state),
        )
    )
    return pipeline.few(re.sub(r"\n{3,}", "\n\n", told).strip() + "\n", d.state.settings.report_small_group)


def _text(cell: str) -> str:
    """Return the words of a cell of HTML that this package made."""
    return Markup(cell.replace("<small>", " · ")).striptags()


def as_summary(d: Document) -> str:
    """Return the first screen as plain text."""
    told = [d.title, d.period.told(d.state.settings)]
    for head, _, own, most in d.groups:
        told += ["", f"{head}: {len(own) or 'none'}"]
        told += [
            f"- {words.line_name(c.line)}, {words.plain_state(c.now).lower()}: {c.why.headline}" for c in own[:most]
        ]
        told += [f"- and {len(own) - most} more"] if len(own) > most else []
    if d.steps:
        told += ["", "What to do, in order:"]
        told += [f"{i}. {words.line_name(s['line'])}: {s['action']}" for i, s in enumerate(d.steps[:5], 1)]
    return pipeline.few("\n".join(told), d.state.settings.report_small_group)
