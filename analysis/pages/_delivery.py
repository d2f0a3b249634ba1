"""What became of the sends, and chats as they stand, in; what the page on delivery and audience says and draws out.

The rules that live here: a share changed where it moved by at least MIXED and by more than chance makes; a share needs 30 sends; a
failure that a delivery followed is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from analysis.charts import STACK
from analysis.charts import STREAKS as STREAK_BARS
from analysis.pages import _words as words
from analysis.pages._frames import ms_of_day
from analysis.pages._replies import CHANCE, MIXED, THIN_SENDS, Window, share
from analysis.schema import OPENED_BY, SERVICES

FAILED_LEAST, FAILED_TIMES = 0.002, 1.5
"""The part of sends by which failures must have moved, and how many times the part of before they must be, to have risen."""
MOST_TURNS = 6
"""From so many unanswered turns on, chats are drawn together: one more than the rivals' limit of 5."""
COUNTS = ("sends", "failed", "delivered", "failed_then_delivered", "mature", "replied")
WHO = {
    "line": "Your line wrote first",
    "moved": "Your line wrote first, known from another line",
    "person": "The person wrote first",
    "before": "Began before the data",
}


@dataclass(frozen=True)
class Moved:
    """A share in two periods, as counts, and whether it moved by more than chance makes."""

    now: tuple[int, int]
    before: tuple[int, int]

    @property
    def rates(self) -> tuple[float, float] | None:
        """The share now and before; None where either period has too few sends for one."""
        a, b = share(*self.now), share(*self.before)
        return None if a is None or b is None else (a, b)

    @property
    def points(self) -> float | None:
        """The difference of the two."""
        return self.rates[0] - self.rates[1] if self.rates else None

    def by(self, least: float) -> bool:
        """Say whether the share moved by at least this, and by more than two standard errors."""
        if self.points is None:
            return False
        of = self.now[1], self.before[1]
        pooled = (self.now[0] + self.before[0]) / sum(of)
        error = (pooled * (1 - pooled) * (1 / of[0] + 1 / of[1])) ** 0.5
        return abs(self.points) >= least and abs(self.points) > CHANCE * error


def sides(told: pl.DataFrame, w: Window, *key: str) -> pl.DataFrame:
    """Return DELIVERY_DAY summed over both periods, key ``key``: COUNTS ending in ``_now`` and ``_before``."""
    marked = told.filter(pl.col("day").is_between(w.before, w.end)).with_columns(now=pl.col("day") >= w.start)
    sums = [
        pl.when("now" if side == "now" else ~pl.col("now")).then(c).otherwise(0).sum().alias(f"{c}_{side}")
        for c in COUNTS
        for side in ("now", "before")
    ]
    return marked.group_by(key).agg(sums).sort(key) if key else marked.select(sums)


def moved(row: dict, part: str, whole: str) -> Moved:
    """Return two counts of a row of `sides` as a share in both periods."""
    return Moved((row[f"{part}_now"], row[f"{whole}_now"]), (row[f"{part}_before"], row[f"{whole}_before"]))


# ------------------------------------------------------------------ who opened the chats


def opened(told: pl.DataFrame, chats: dict[str, pl.DataFrame], w: Window) -> pl.DataFrame:
    """Return by who opened the chat: new chats, sends and replies in both periods; in the order of WHO, key opened_by.

    Args:
        told: DELIVERY_DAY.
        chats: line, opened_by, chats first seen in the period, under "now" and "before".
        w: the two periods.
    """
    frame = pl.DataFrame({"opened_by": list(OPENED_BY)}).join(
        sides(told, w, "opened_by"), on="opened_by", how="left", maintain_order="left"
    )
    for side in ("now", "before"):
        sums = chats[side].group_by("opened_by").agg(pl.col("chats").sum().alias(f"chats_{side}"))
        frame = frame.join(sums, on="opened_by", how="left", maintain_order="left")
    return frame.fill_null(0).filter(pl.sum_horizontal("sends_now", "sends_before", "chats_now", "chats_before") > 0)


def opened_title(frame: pl.DataFrame) -> str:
    """Return the finding: how chats that the line opened answer beside those that people opened."""
    rows = {r["opened_by"]: r for r in frame.iter_rows(named=True)}
    ours = [rows[k] for k in ("line", "moved") if k in rows]
    mature, replied = sum(r["mature_now"] for r in ours), sum(r["replied_now"] for r in ours)
    first = share(replied, mature)
    theirs = share(rows["person"]["replied_now"], rows["person"]["mature_now"]) if "person" in rows else None
    if first is None or theirs is None:
        return "Who opened the chats"
    return f"{round(100 * first)} in 100 sends are answered where your line wrote first, {round(100 * theirs)} where the person did"


# ------------------------------------------------------------------ unanswered in a row


def streak_bars(counts: pl.DataFrame, late: int) -> pl.DataFrame:
    """Return active chats of the fleet by unanswered turns, all of MOST_TURNS and more together: charts' STREAKS."""
    of = int(counts["chats"].sum())
    held = counts.group_by(turns=pl.col("unanswered").clip(upper_bound=MOST_TURNS)).agg(pl.col("chats").sum())
    by_turns = dict(held.iter_rows())
    rows = []
    for turns in range(MOST_TURNS + 1):
        n = by_turns.get(turns, 0)
        more = " or more" if turns == MOST_TURNS else ""
        tip = f"{turns}{more} unanswered: {n:,} of {of:,} active chats"
        rate = words.percent(n / of) if of >= THIN_SENDS else ""
        rows.append((turns, float(n), turns >= late, f"{n:,}", rate, tip))
    return pl.DataFrame(rows, schema=STREAK_BARS, orient="row")


def over(counts: pl.DataFrame, least: int) -> tuple[int, int]:
    """Return active chats with at least so many unanswered turns, and all active chats."""
    return int(counts.filter(pl.col("unanswered") >= least)["chats"].sum()), int(counts["chats"].sum())


def streaks_title(counts: pl.DataFrame, late: int) -> str:
    """Return the finding: the part of active chats at or over the first published limit."""
    n, of = over(counts, late)
    if not of:
        return "No chat has had a message in these days"
    if not n:
        return f"No active chat has {late} or more turns in a row without an answer"
    part = f"{round(100 * n / of)} in 100" if of >= THIN_SENDS and n / of >= 0.005 else f"{n:,} of {of:,}"
    return f"{part} active chats have had {late} or more turns in a row without an answer"


# ------------------------------------------------------------------ services


def service_stack(told: pl.DataFrame, w: Window) -> tuple[pl.DataFrame, list[str]]:
    """Return each day's sends by service as shares of those whose service is known (STACK), and the services, by rank."""
    known = told.filter(pl.col("service").is_not_null(), pl.col("day").is_between(w.before, w.end))
    days = known.group_by("day", "service").agg(pl.col("sends").sum())
    order = [s for s in SERVICES if s in set(days["service"])]
    return _stacked(days.rename({"service": "part", "sends": "n"}), order, share=True), order


def service_moved(told: pl.DataFrame, w: Window) -> Moved:
    """Return iMessage's share of sends whose service is known, over the fleet."""
    known = told.filter(pl.col("service").is_not_null())
    both = sides(known.with_columns(failed=_only_imessage()), w).row(0, named=True)
    return moved(both, "failed", "sends")


def service_lines(told: pl.DataFrame, w: Window) -> list[tuple[str, Moved]]:
    """Return each line's share of iMessage, the largest fall first; lines with two shares only."""
    known = told.filter(pl.col("service").is_not_null())
    rows = sides(known.with_columns(failed=_only_imessage()), w, "line").iter_rows(named=True)
    found = [(r["line"], moved(r, "failed", "sends")) for r in rows]
    return sorted(((line, m) for line, m in found if m.points is not None), key=lambda x: (x[1].points, x[0]))


def _only_imessage() -> pl.Expr:
    return pl.when(pl.col("service") == "iMessage").then("sends").otherwise(0)


def service_title(m: Moved, lines: list[tuple[str, Moved]]) -> str:
    """Return the finding: iMessage's share of the sends, and the line on which it fell most."""
    if m.rates is None:
        return "How the sends travelled"
    now, before = (words.percent(r) for r in m.rates)
    fell = [(line, x) for line, x in lines if x.by(MIXED) and (x.points or 0) < 0]
    on = f"; it fell most on {words.ending(fell[0][0])}" if fell else ""
    if m.by(MIXED):
        return f"iMessage carries {now} of sends, where it carried {before}{on}"
    return f"iMessage carries {now} of sends, as before{on}"


# ------------------------------------------------------------------ failures


def failure_stack(told: pl.DataFrame, w: Window) -> tuple[pl.DataFrame, list[str]]:
    """Return each day's failed sends by code (STACK; from the fourth code on together), and the codes, by rank."""
    failed = told.filter(pl.col("failed") > 0, pl.col("day").is_between(w.before, w.end))
    totals = failed.group_by("failure_code").agg(pl.col("failed").sum())
    ranked = totals.sort(["failed", "failure_code"], descending=[True, False])["failure_code"].to_list()
    named, rest = (ranked, []) if len(ranked) <= 4 else (ranked[:3], ranked[3:])
    part = pl.when(pl.col("failure_code").is_in(rest)).then(pl.lit("others")).otherwise("failure_code")
    days = failed.group_by("day", part=part).agg(n=pl.col("failed").sum())
    order = [*named, *(["others"] if rest else [])]
    return _stacked(days, order, share=False), order


def failure_codes(told: pl.DataFrame, w: Window) -> pl.DataFrame:
    """Return failures by code in both periods, the most now first: failed, delivered after all, and the lines with most; key failure_code."""
    coded = told.filter(pl.col("failure_code").is_not_null())
    by_line = sides(coded, w, "failure_code", "line").filter(pl.col("failed_now") > 0)
    worst = (
        by_line.sort(["failure_code", "failed_now", "line"], descending=[False, True, False])
        .group_by("failure_code", maintain_order=True)
        .agg(lines=pl.col("line").head(3), counts=pl.col("failed_now").head(3))
    )
    return (
        sides(coded, w, "failure_code")
        .join(worst, on="failure_code", how="left")
        .sort(["failed_now", "failed_before", "failure_code"], descending=[True, True, False])
    )


def failures_moved(told: pl.DataFrame, w: Window) -> Moved:
    """Return the part of sends that failed, over the fleet."""
    return moved(sides(told, w).row(0, named=True), "failed", "sends")


def rose(m: Moved) -> bool:
    """Say whether failures rose: by more than chance makes, and to well over what they were."""
    return m.by(FAILED_LEAST) and m.rates is not None and m.rates[0] >= FAILED_TIMES * m.rates[1]


def failures_title(m: Moved) -> str:
    """Return the finding: the part of sends that failed, now and before."""
    n, of = m.now
    if m.rates is None:
        return f"{n:,} of {of:,} sends failed"
    now, before = (words.percent(r) for r in m.rates)
    if rose(m):
        return f"{now} of sends failed, where {before} did"
    if m.by(FAILED_LEAST):
        return f"{now} of sends failed, {'fewer' if (m.points or 0) < 0 else 'more'} than the {before} before"
    return f"{now} of sends failed, about as many as before ({before})"


def codes_title(codes: pl.DataFrame, m: Moved) -> str:
    """Return the finding over the failures where the page's headline tells how many there are: the code that leads, and where."""
    first = codes.row(0, named=True)
    on = f", most on {words.ending(first['lines'][0])}" if first["lines"] else ""
    return f"{first['failed_now']:,} of {words.plural(m.now[0], 'failure')} {'is' if m.now[0] == 1 else 'are'} code {first['failure_code']}{on}"


def headline(failures: Moved, service: Moved, counts: pl.DataFrame, late: int) -> str:
    """Return the page's finding: failures that rose, else a fallen share of iMessage, else how many chats do not answer."""
    if rose(failures):
        return f"More sends fail: {failures_title(failures)}."
    if service.by(MIXED) and service.rates and service.rates[0] < service.rates[1]:
        now, before = (words.percent(r) for r in service.rates)
        return f"Fewer sends go by iMessage: {now} of them, where {before} did."
    n, of = over(counts, late)
    calm = "Sends travel and fail as before" if failures.rates and service.rates else "Delivery and audience"
    if not of:
        return f"{calm}."
    if not n:
        return f"{calm}, and no active chat has stopped answering."
    return f"{calm}; {n:,} of {words.plural(of, 'active chat')} {'has' if n == 1 else 'have'} stopped answering."


def _stacked(days: pl.DataFrame, order: list[str], *, share: bool) -> pl.DataFrame:
    """Return parts of days (day, part, n) stacked in an order: STACK."""
    rank = {part: i for i, part in enumerate(order)}
    rows = []
    for (day,), mine in days.sort("day").group_by("day", maintain_order=True):
        whole, base = int(mine["n"].sum()), 0.0
        t = ms_of_day(day)
        for part, n in sorted(mine.select("part", "n").iter_rows(), key=lambda x: rank[x[0]]):
            top = base + (n / whole if share else n)
            tip = f"{day:%a} {day.day} {day:%b}, {part}: {n:,} of {whole:,}"
            rows.append((t, t + timedelta(days=1) / timedelta(milliseconds=1), min(rank[part], 3) + 1, base, top, tip))
            base = top
    return pl.DataFrame(rows, schema=STACK, orient="row")
