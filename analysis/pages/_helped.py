"""Verdicts on actions in; the page's sentence, its rows and its frames out. Nothing is drawn here."""

from __future__ import annotations

import polars as pl

from analysis import pipeline
from analysis.charts import EFFECT_MARKS
from analysis.helped.words import KIND_WORDS
from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._store import Here, address
from analysis.pipeline import Told

VERDICT_WORDS = {"helped": "It helped", "did not help": "It did not help", "can't tell": "Can't tell"}
KINDS = {word: kind for kind, word in KIND_WORDS.items()}
"""Kinds as the form offers them."""
MOST_DRAWN = 20
"""Actions drawn in one picture, the newest; the table has all."""
COLUMNS = {
    "at": "acted_at_utc", "kind": "act",
    "source": "recorded_by", "days": "whole_days", "before": "before_n", "before_of": "before_of_n", "after": "after_n",
    "after_of": "after_of_n", "low": "effect_low", "high": "effect_high", "against": "compared_with", "compared": "compared_n",
    "sentence": "verdict_sentence",
}  # fmt: skip
"""Names of the download, where they differ from EFFECTS."""
SPREAD_COLUMNS = {
    "at": "event_at_utc",
    "what": "first_event",
    "by": "told_by",
    "of": "known_recipients",
    "sentence": "spread_sentence",
}


def sentence(of: list[Told]) -> str:
    """Return the page's finding: how many actions helped, did not, and cannot be told."""
    if not of:
        return "No action is recorded yet: tell what you did, and see whether it helped."
    helped, not_, unknown = (sum(t.of.verdict == v for t in of) for v in VERDICT_WORDS)
    if len(of) == 1:
        return {"helped": "1 action: it helped.", "did not help": "1 action: it did not help."}.get(
            of[0].of.verdict, "1 action: whether it helped can't be told."
        )
    if unknown == len(of):
        return f"{len(of):,} actions: whether they helped can't be told."
    rest = f"; of {unknown:,} it can't be told" if unknown else ""
    return f"{helped:,} of {len(of):,} actions helped, {not_:,} did not{rest}."


def who(told: Told) -> str:
    """Return the line of an action."""
    return words.line_name(told.of.line) if told.of.line else "The whole fleet"


def cells(told: Told, here: Here) -> list[str]:
    """Return a row of the table: verdict, what was done, where and when, and the sentences."""
    o = told.of
    name = html.text(who(told))
    if o.line:
        query = "&".join(f"{k}={v}" for k, v in address(line=words.line_key(o.line)).items())
        name = f'<a href="why?{query}" target="_self">{name}</a>'
    found = "<small>found, not recorded</small>" if o.source == "found" else ""
    small = " ".join([*([o.health] if o.health else []), *told.beside])
    return [
        f"<b>{VERDICT_WORDS[o.verdict]}</b>",
        f"{html.text(words.act_words(told.of.kind, told.of.label))}<small>{name}</small><small>{html.text(words.moment(o.at, here.zone))}</small>{found}",
        f"{html.text(told.sentence)}<small>{html.text(small)}</small>",
    ]


def marks(of: list[Told]) -> pl.DataFrame:
    """Return EFFECT_MARKS of the newest actions whose effect on replies is measured, newest first."""
    rows = []
    for told in reversed(of):
        e = next((e for e in told.of.effects if e.measure == "replies" and e.effect is not None), None)
        if e is None:
            continue
        name = words.ending(told.of.line) if told.of.line else "fleet"
        label = f"{name} {KIND_WORDS[told.of.kind].lower()}, {told.of.at:%d %b}"
        rows.append(
            (
                label,
                e.effect,
                e.low,
                e.high,
                e.better or e.worse,
                f"{words.act_words(told.of.kind, told.of.label)}, {who(told)}: {told.sentence}",
            )
        )
    frame = pl.DataFrame(rows, schema=EFFECT_MARKS, orient="row")
    return frame.unique("action", keep="first", maintain_order=True).head(MOST_DRAWN)


def effects_frame(of: list[Told]) -> pl.DataFrame:
    """Return the rows behind the verdicts, as the download has them."""
    return pipeline.helped_frame(of).rename(COLUMNS)


def spread_frame(rows: pl.DataFrame) -> pl.DataFrame:
    """Return patterns that moved on, as the download has them."""
    return rows.rename(SPREAD_COLUMNS)


def as_text(of: list[Told], moved: pl.DataFrame, here: Here) -> str:
    """Return the page as text: its sentence, a line an action, a line a pattern that moved."""
    told = [
        f"- {who(t)}, {words.moment(t.of.at, here.zone)}, {words.act_words(t.of.kind, t.of.label)}: {t.sentence}"
        for t in of
    ]
    spread = [f"- {row}" for row in moved["sentence"]]
    return "\n".join([sentence(of), *told, *spread, f"Data to {words.moment(here.as_of, here.zone, year=True)}."])
