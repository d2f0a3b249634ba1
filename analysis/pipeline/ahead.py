"""A store and a time in, what is likely next and what may still be sent out: forecast, gate, and how right forecasts have been."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis.ahead.alerted import alerted_before
from analysis.ahead.alerts import in_force
from analysis.ahead.backtest import record_of, tried
from analysis.ahead.clock import at_clock, is_stale
from analysis.ahead.features import COUNTS, HOURLY
from analysis.ahead.forecast import Ahead, forecast_of, rests_after
from analysis.ahead.gate import gate_of
from analysis.ahead.model import Model
from analysis.ahead.plan import Plan, plan_of
from analysis.ahead.rows import midnight_of
from analysis.ahead.thresholds import thresholds_of
from analysis.errors import UsageError
from analysis.pipeline.due import Due
from analysis.pipeline.history import keep_history
from analysis.pipeline.moments import When, moment, now
from analysis.pipeline.opened import Where, reading, settings_in, store_at
from analysis.schema import FORECAST, GATE, Explanation
from analysis.settings import Settings
from analysis.signals import health as timeline
from analysis.signals import panel
from analysis.signals.gaps import activity_of, gaps, seen
from analysis.store import marts, read

RECORD = "ahead"
"""The word under which a store keeps what its forecasts rest on, and how right they have been."""
MODELS = "ahead_models"
"""The word under which it keeps what was learned at the last midnight."""


@dataclass(frozen=True)
class Foreseen:
    """Forecast (FORECAST and ``drivers`` as JSON) and gate (GATE) at one time, and what they rest on."""

    forecast: pl.DataFrame
    gate: pl.DataFrame
    rests_on: dict[str, Any]
    past: pl.DataFrame
    """HOURLY every TICK_HOURS: what both rest on."""
    learned_at: datetime
    models: dict[int, Model]
    newest: datetime | None = None
    """The newest event known then."""


@dataclass(frozen=True)
class Looked:
    """What is likely next as of the latest event, worked out but not kept yet."""

    found: Foreseen
    hours: pl.DataFrame
    """SIGNALS_HOUR of the days that teach."""
    levels: pl.DataFrame | None
    """THRESHOLDS; None where all that was learned at the last midnight holds."""


def look_ahead(
    con: Any,
    due: Due,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    lost: pl.DataFrame,
    was_lost: pl.DataFrame,
    *,
    at: datetime,
    settings: Settings,
) -> Callable[[], Looked]:
    """Read what forecasts rest on, and return what works them out: in any thread, for it touches no store.

    Models learn once a day, of what was known at the last UTC midnight: where all that is new is later than it, what they learned and how
    right they have been stays as it is. Gaps (``lost``) other than before (``was_lost``) change what was known of the past too.
    """
    hours = read.hours_after(con, rests_after(at), COUNTS)
    kept = read.meta(con, MODELS)
    learned = Learned.of(kept) if kept and not due.whole else None
    if learned is not None and not (learned.holds(at, due.earliest) and lost.equals(was_lost)):
        learned = None

    def looked() -> Looked:
        found = foresee(
            hours, spells, transitions, at=at, newest=at, settings=settings, lost=lost, back=True, learned=learned
        )
        fresh = learned is None
        levels = thresholds_of(found.past, hours, transitions, until=found.learned_at) if fresh else None
        return Looked(found, hours, levels)

    return looked


def keep_ahead(con: Any, looked: Looked, transitions: pl.DataFrame, explained: list[Explanation]) -> None:
    """Keep what is likely next and what may still be sent as of the latest event, and what the past shows."""
    found = looked.found
    marts.replace(con, "forecast", found.forecast)
    marts.replace(con, "gate", found.gate)
    if looked.levels is not None:
        marts.set_meta(con, RECORD, json.dumps(found.rests_on, default=str))
        marts.set_meta(con, MODELS, Learned(found.learned_at, found.models, found.rests_on).told())
        keep_history(con, looked.levels, found.past, transitions, explained, until=found.learned_at)


@dataclass(frozen=True)
class Learned:
    """What was learned at the last midnight: models by horizon, and what the forecasts rest on."""

    at: datetime
    models: dict[int, Model]
    rests_on: dict[str, Any]

    def holds(self, at: datetime, earliest: datetime | None) -> bool:
        """Say whether it is what would be learned at a later time, given the earliest instant of which anything new is known."""
        return midnight_of(at) == self.at and (earliest is None or earliest > self.at)

    def told(self) -> str:
        """Return it as JSON, every number to its last digit."""
        models = {
            str(h): {
                "weights": m.weights.tolist(),
                "covariance": m.covariance.tolist(),
                "worsenings": m.worsenings,
                "line_days": m.line_days,
            }
            for h, m in self.models.items()
        }
        return json.dumps({"at": self.at.isoformat(), "models": models, "rests_on": self.rests_on}, default=str)

    @classmethod
    def of(cls, kept: str) -> Learned:
        """Return what ``told`` wrote."""
        found = json.loads(kept)
        models = {
            int(h): Model(int(h), np.array(m["weights"]), np.array(m["covariance"]), m["worsenings"], m["line_days"])
            for h, m in found["models"].items()
        }
        return cls(datetime.fromisoformat(found["at"]), models, found["rests_on"])


def foresee(
    hours: pl.DataFrame,
    spells: pl.DataFrame,
    transitions: pl.DataFrame,
    *,
    at: datetime,
    newest: datetime | None,
    settings: Settings,
    lost: pl.DataFrame | None = None,
    back: bool = False,
    learned: Learned | None = None,
) -> Foreseen:
    """Return forecast and gate at a time from what was known then.

    Args:
        hours: SIGNALS_HOUR as known at ``at``.
        spells: SPELLS as known then.
        transitions: TRANSITIONS up to then.
        at: UTC.
        newest: the newest event known then.
        settings: ``gate_*``, and the reply window.
        lost: GAPS known then: in them nothing is known, neither replies nor sends.
        back: also try the forecasts on the past weeks.
        learned: what was learned already, where it holds.
    """
    known_at = min(at, newest) if newest else at
    told = hours if lost is None else seen(hours, lost, within=timedelta(hours=settings.reply_window_hours))
    ahead = forecast_of(told, spells, transitions, at=known_at, models=learned.models if learned else None)
    drivers = pl.DataFrame(
        [(line, json.dumps(of, ensure_ascii=False)) for line, of in ahead.drivers.items()],
        schema={"line": pl.String, "drivers": pl.String},
        orient="row",
    )
    forecast = ahead.rows.join(drivers, on="line", how="left", maintain_order="left")
    gate = gate_of(ahead, hours, settings=settings, newest=newest, at=at, lost=lost)
    rests_on = learned.rests_on if learned else _rests_on(ahead, back, settings)
    return Foreseen(forecast, gate, rests_on, ahead.past, ahead.learned_at, ahead.models, newest)


def _rests_on(ahead: Ahead, back: bool, settings: Settings) -> dict[str, Any]:
    model = ahead.models[24]
    rests = {
        "basis": ahead.basis,
        "worsenings": model.worsenings,
        "line_days": round(model.line_days),
        "weights": {str(h): m.told() for h, m in ahead.models.items()},
        "record": None,
    }
    if not back:
        return rests
    past = tried(ahead.ticks(), at=ahead.learned_at)
    record = record_of(past)
    falls = past.filter(pl.col("came_24") > 0).select("line", "worse_at").n_unique()
    first: Any = past["at"].min()
    weeks = math.ceil((ahead.learned_at - first) / timedelta(days=7)) if past.height else 0
    rests |= {"record": record, "tried": {"worsenings": falls, "weeks": weeks}}
    if record:
        record["alerts"] = alerted_before(past, level=in_force(settings, rests)[0], settings=settings)
    return rests


def forecast(store: Where = None, *, at: When = None) -> pl.DataFrame:
    """Return the chance of every line to turn worse within 24 h and 72 h: FORECAST and ``drivers`` (JSON), key line.

    Args:
        store: path of the store.
        at: as of then, from nothing later; the latest event where None.

    Example:
        >>> ahead = lh.forecast()
        >>> (ahead["p_worse_24h"] <= ahead["p_worse_72h"]).all()
        True
    """
    return seen_at(store, at).forecast if at is not None else _kept(store, "forecast")


def gate(store: Where = None, *, at: When = None) -> pl.DataFrame:
    """Return what each line may still send today: GATE, key line.

    Args:
        store: path of the store.
        at: as of then, from nothing later; the latest event where None. Later than the newest event by ``gate_stale_hours``, no line
            may open anything: what was sent since is not known.

    Example:
        >>> told = lh.gate()
        >>> told.filter(health="CRITICAL")["decision"].to_list()
        ['pause']
    """
    return seen_at(store, at).gate if at is not None else _kept(store, "gate")


@dataclass(frozen=True)
class KeptGate:
    """The gate as kept at the newest event: decisions for any later time come out of it in milliseconds."""

    rows: list[dict[str, Any]]
    newest: datetime | None
    settings: Settings

    def at(self, at: datetime) -> list[dict[str, Any]]:
        """Return the rows of GATE at a time by the clock, UTC."""
        return at_clock(self.rows, newest=self.newest, at=at, settings=self.settings)

    def stale(self, at: datetime) -> bool:
        """Say whether the data is too old, at a time, to open anything."""
        return is_stale(self.newest, at, self.settings)


def kept_gate(store: Where = None, *, wait_s: float | None = None) -> KeptGate:
    """Return the gate as kept, with what it takes to tell it at a later time.

    Args:
        store: path of the store.
        wait_s: how long to wait for another program that holds the store for writing; 15 s where None.
    """
    target = store_at(store)
    with target.reader(wait_s=wait_s) as con:
        rows, chosen = read.gate(con).to_dicts(), settings_in(con)
        return KeptGate(rows, read.as_of(con), chosen)


def gate_now(store: Where = None, *, at: When = None) -> pl.DataFrame:
    """Return what each line may still send by this machine's clock: GATE, key line; from what is kept, in milliseconds.

    With fresh data as ``gate()``; on a new day since the newest event what counts by day begins again; with data older than
    ``gate_stale_hours`` no line may open anything.

    Args:
        store: path of the store.
        at: another time, not before the newest event.

    Example:
        >>> sorted(set(lh.gate_now(at="2026-11-21T23:59")["decision"]))
        ['pause', 'send', 'slow']
    """
    return pl.DataFrame(kept_gate(store).at(moment(at) or now()), schema=GATE, orient="row")


def plan(store: Where = None, *, new: int, days: int = 1, at: When = None) -> Plan:
    """Return how many of ``new`` recipients go to which line on which of the next days, so that no line leaves its safe band.

    Args:
        store: path of the store.
        new: recipients nobody has written to yet.
        days: how many days they may take, today included.
        at: as of then; the latest event where None.

    Raises:
        UsageError: days or recipients are out of range.

    Example:
        >>> planned = lh.plan(new=20)
        >>> planned.rows["new_recipients"].sum() == planned.placed
        True
    """
    with reading(store) as con:
        chosen = settings_in(con)
    return plan_of(gate(store, at=at), new, days, chosen)


def forecast_record(store: Where = None) -> dict[str, Any]:
    """Return what the forecasts rest on, and how right they have been on the past weeks (``record``; None with too few changes).

    Example:
        >>> record = lh.forecast_record()
        >>> record["worsenings"] > 0
        True
    """
    with reading(store) as con:
        kept = read.meta(con, RECORD)
    found: dict[str, Any] = json.loads(kept) if kept else {}
    return found


def _kept(store: Where, which: str) -> pl.DataFrame:
    with reading(store) as con:
        return read.forecast(con) if which == "forecast" else read.gate(con)


def seen_at(store: Where, at: When, *, back: bool = False) -> Foreseen:
    """Work forecast and gate out at a time, from the facts as they were known then; with ``back`` tried on the weeks before it too."""
    then = moment(at)
    if then is None:
        raise UsageError("a time is needed", where="at", fix="write it like 2026-03-01T12:00:00Z")
    with reading(store) as con:
        chosen, newest = settings_in(con), read.newest(con)
        messages, chats, health = (
            read.messages(con, until=then + timedelta(milliseconds=1)),
            read.chats(con),
            read.chat_health(con),
        )
        changes = read.changes(con).filter(pl.col("changed_at") <= then)
    if newest is None:
        empty = pl.DataFrame(schema=HOURLY)
        return Foreseen(
            pl.DataFrame(schema={**FORECAST, "drivers": pl.String}), pl.DataFrame(schema=GATE), {}, empty, then, {}
        )
    messages = as_known(messages, then)
    spells, transitions = timeline.spells(changes), timeline.transitions(changes)
    heard = min(newest, then) if newest <= then else _newest(messages, changes, then)
    hours = panel.signals(
        messages,
        chats,
        health.filter(pl.col("at") <= then),
        spells,
        as_of=min(then, newest),
        settings=chosen,
        grain="hour",
    )
    lost = gaps(activity_of(messages), as_of=min(then, newest), settings=chosen)
    return foresee(hours, spells, transitions, at=then, newest=heard, settings=chosen, lost=lost, back=back)


def _newest(messages: pl.DataFrame, changes: pl.DataFrame, at: datetime) -> datetime | None:
    """Return the newest event known at a time."""
    times = [messages[c].max() for c in ("at", "delivered_at", "read_at", "failed_at")] + [changes["changed_at"].max()]
    return max((t for t in times if isinstance(t, datetime) and t <= at), default=None)


def as_known(messages: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return MESSAGES as they were known at a time: a receipt or a failure that came later is not known yet."""
    then = messages.filter(pl.col("at") <= at)
    undated = pl.col("failed") & pl.col("failed_at").is_null()
    arrived = (pl.col("delivered_at") <= at).fill_null(False) | (pl.col("read_at") <= at).fill_null(False)
    failed = ((pl.col("failed_at") <= at).fill_null(False) | undated) & ~arrived & (pl.col("direction") == "outbound")
    later = [pl.when(pl.col(c) <= at).then(pl.col(c)).alias(c) for c in ("delivered_at", "read_at", "failed_at")]
    return then.with_columns(failed.alias("failed"), *later)
