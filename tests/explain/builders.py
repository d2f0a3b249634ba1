"""Small made-up lines with one planted cause: calls in, the frames of analysis.schema out."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import polars as pl

from analysis.explain import explain
from analysis.schema import CHAT_HEALTH, CHATS, MESSAGES, SPELLS, TRANSITIONS, Explanation
from analysis.settings import Settings

START = datetime(2026, 3, 1)
DELIVERED = timedelta(seconds=2)
_MOST = 20
_STEADY: dict[tuple, tuple] = {}
"""Steady lines as they were made: how the draws stood and what was asked for, to the messages and how the draws stood then."""


class World:
    """Lines, messages and changes under construction; ``day`` arguments are days after START, with fractions."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.messages: list[dict] = []
        self.chats: list[dict] = []
        self.health: list[dict] = []
        self.spells: list[dict] = []
        self.transitions: list[dict] = []

    def at(self, day: float) -> datetime:
        at = START + timedelta(days=day)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def message(self, line, chat, day, direction="outbound", *, failed=False, receipt=True, service="iMessage", **more):
        at = self.at(day)
        self.messages.append(
            {
                "message_id": f"m{len(self.messages):06d}",
                "line": line,
                "chat_id": chat,
                "direction": direction,
                "at": at,
                "failed": failed,
                "delivered_at": at + DELIVERED if direction == "outbound" and receipt and not failed else None,
                "failed_at": at + DELIVERED if failed else None,
                "failure_code": "4001" if failed else None,
                "service": service,
                "is_group": False,
                **more,
            }
        )

    def ask(self, line, chat, day, reply=0.6, **more):
        """One send, answered with this probability about an hour later."""
        self.message(line, chat, day, **more)
        if not more.get("failed") and self.random.random() < reply:
            self.message(line, chat, day + min(2.5, self.random.lognormvariate(-3.5, 1.2)), "inbound")

    def hour(self) -> float:
        """An hour of the working day, as part of a day."""
        return min(0.95, max(0.25, self.random.gauss(0.58, 0.13)))

    def steady(
        self,
        line="+1",
        *,
        days=45.0,
        first=0,
        chats=80,
        asks=40,
        reply=0.6,
        new=4,
        new_reply=0.5,
        change=None,
        **more,
    ):
        """A line of steady chats with a daily rhythm; ``change(day) -> {asks, reply, new}`` alters it from within."""
        told = (line, days, first, chats, asks, reply, new, new_reply, *sorted(more.items()))
        begin = None if self.messages or change else (self.random.getstate(), told)
        if begin in _STEADY:  # many tests begin with the same line
            messages, state = _STEADY[begin]
            self.messages = [m.copy() for m in messages]
            self.random.setstate(state)
            return self
        for day in range(first, int(days) + 1):
            now = {"asks": asks, "reply": reply, "new": new, "new_reply": new_reply, **(change(day) if change else {})}
            for _ in range(max(0, round(self.random.gauss(now["asks"], now["asks"] ** 0.5)))):
                at = day + self.hour()
                if at < days:
                    self.ask(line, f"{line}-c{self.random.randrange(chats)}", at, now["reply"], **more)
            for i in range(max(0, round(self.random.gauss(now["new"], now["new"] ** 0.5)))):
                at = day + self.hour()
                if at < days:
                    self.ask(line, f"{line}-n{day}-{i}", at, now["new_reply"], **more)
        if begin is not None:
            if len(_STEADY) == _MOST:
                del _STEADY[next(iter(_STEADY))]
            _STEADY[begin] = [m.copy() for m in self.messages], self.random.getstate()
        return self

    def burst(self, line, day, n, *, hours=6.0, reply=0.1, name="b", new=True, chats=80, **more):
        """n sends spread over some hours, to new chats or to known ones."""
        for i in range(n):
            chat = f"{line}-{name}{i}" if new else f"{line}-c{self.random.randrange(chats)}"
            self.ask(line, chat, day + i / n * hours / 24, reply, **more)
        return self

    def opt_out(self, chat, day):
        self.health.append({"chat_id": chat, "at": self.at(day), "health": "OPTED_OUT"})
        return self

    def turn(self, line, day, new="AT_RISK", previous="HEALTHY", *, kind="health", missed=False):
        """One change of health or status; spells follow from the changes."""
        order = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2, "ACTIVE": 0, "FLAGGED": 1}
        self.transitions.append(
            {
                "line": line,
                "at": self.at(day),
                "kind": kind,
                "previous": previous,
                "new": new,
                "worsening": order[new] > order.get(previous, 0),
                "missed_before": missed,
            }
        )
        return self

    def frames(self):
        spells = []
        ordered = sorted(self.transitions, key=lambda t: (t["line"], t["kind"], t["at"]))
        for i, t in enumerate(ordered):
            same = i + 1 < len(ordered) and (ordered[i + 1]["line"], ordered[i + 1]["kind"]) == (t["line"], t["kind"])
            spells.append(
                {
                    "line": t["line"],
                    "kind": t["kind"],
                    "state": t["new"],
                    "start_at": t["at"],
                    "end_at": ordered[i + 1]["at"] if same else None,
                    "start_known": True,
                }
            )
        return (
            pl.DataFrame(self.messages, schema=MESSAGES, orient="row"),
            pl.DataFrame(self.chats, schema=CHATS, orient="row"),
            pl.DataFrame(self.health, schema=CHAT_HEALTH, orient="row"),
            pl.DataFrame(spells, schema=SPELLS, orient="row"),
            pl.DataFrame(self.transitions, schema=TRANSITIONS, orient="row"),
        )

    def explain(self, **settings) -> list[Explanation]:
        return explain(*self.frames(), as_of=datetime(2027, 1, 1), settings=Settings(**settings))


def share(e: Explanation, driver: str) -> float:
    return next((d.share for d in e.drivers if d.driver == driver), 0.0)


def began(e: Explanation) -> float:
    """The onset in days after START."""
    assert e.onset is not None
    return (datetime.fromisoformat(e.onset).replace(tzinfo=None) - START) / timedelta(days=1)
