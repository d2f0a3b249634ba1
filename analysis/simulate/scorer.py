"""What happens in the chats of one made-up line in, its health over time out: the hidden judge of the demo fleet.

It is kept apart from the product's signals on purpose: people have a mood that builds up and leaks away, and a line is
judged by the mood of those it wrote to lately, and by rushes of openers, of different people and of sends against its own habit.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.simulate.rhythm import DAY, HOUR


class Leaky:
    """A sum that halves every ``half_life`` milliseconds."""

    __slots__ = ("at", "half_life", "value")

    def __init__(self, half_life: float, at: int, value: float = 0.0) -> None:
        self.half_life, self.at, self.value = half_life, at, value

    def read(self, at: int) -> float:
        """Return the sum now; calls come in order of time."""
        if at > self.at:
            self.value *= 0.5 ** ((at - self.at) / self.half_life)
            self.at = at
        return self.value

    def add(self, at: int, amount: float) -> None:
        """Add to the sum now."""
        self.value = self.read(at) + amount


@dataclass(frozen=True)
class Temper:
    """The judge's constants: annoyances in points, half-lives in milliseconds, levels of the score."""

    mood_half_life: float = 1.6 * DAY
    ignored: float = 1.0
    ignored_again: float = 0.65  # more for each ask in a row that was ignored before
    failure: float = 2.3
    after_stop: float = 2.8
    calm: float = 0.3  # share of a chat's annoyance that stays after its person wrote
    mood_cap: float = 12.0  # one chat cannot ruin a line alone
    audience_floor: float = 14.0
    usual_mood: float = 0.42
    habit_half_life: float = 12 * DAY
    openers_half_life: float = 22 * HOUR
    people_half_life: float = 6 * HOUR
    sends_half_life: float = 3 * HOUR
    rush_slope: float = 0.36
    rush_cap: float = 1.25
    smoothing: float = 2.5 * HOUR
    at_risk: float = 0.9
    critical: float = 1.32
    less_critical: float = 1.05
    healthy: float = 0.67
    rest_up: float = 5 * HOUR  # least time in a state before it worsens, …
    rest_down: float = 44 * HOUR  # … and before it gets better
    chat_at_risk: float = 1.9
    chat_critical: float = 4.2


class Scorer:
    """Mood and rushes of one line, and the health that follows from them with hysteresis."""

    def __init__(self, at: int, *, openers: float, people: float, sends: float, temper: Temper | None = None) -> None:
        """Start with a habit of so many openers, different people and sends a day."""
        self.temper = t = temper or Temper()
        self.mood, self.audience = Leaky(t.mood_half_life, at), Leaky(t.mood_half_life, at)
        self._rushes = []
        for half_life, daily, slack, floor in (
            (t.openers_half_life, openers, 1.6, 7.0),
            (t.people_half_life, people, 2.8, 14.0),
            (t.sends_half_life, sends, 3.5, 40.0),
        ):
            habit = Leaky(t.habit_half_life, at, daily * t.habit_half_life / DAY / 0.693)
            self._rushes.append((Leaky(half_life, at), habit, slack, floor))
        self.health = "HEALTHY"
        self._since = at - 10 * DAY
        self._smooth, self._seen = t.usual_mood, at
        self._hold_level, self._hold_until = 0.0, at

    def opened(self, at: int) -> None:
        """A new conversation was opened."""
        self._rush(0, at)

    def asked(self, at: int) -> None:
        """A person was written to, be it with one message or several."""
        self.audience.add(at, 1.0)
        self._rush(1, at)

    def sent(self, at: int) -> None:
        """One message went out."""
        self._rush(2, at)

    def _rush(self, which: int, at: int) -> None:
        fast, habit, _, _ = self._rushes[which]
        fast.add(at, 1.0)
        habit.add(at, 1.0)

    def ignored(self, chat: Leaky, at: int, before: int) -> None:
        """An ask found no answer in time, after ``before`` others in a row."""
        self._annoy(chat, at, self.temper.ignored + self.temper.ignored_again * min(before, 6))

    def failed(self, chat: Leaky, at: int) -> None:
        """A message did not arrive."""
        self._annoy(chat, at, self.temper.failure)

    def wrote_after_stop(self, chat: Leaky, at: int) -> None:
        """A person who had said STOP was written to again."""
        self._annoy(chat, at, self.temper.after_stop)

    def _annoy(self, chat: Leaky, at: int, amount: float) -> None:
        amount = max(0.0, min(amount, self.temper.mood_cap - chat.read(at)))
        chat.add(at, amount)
        self.mood.add(at, amount)

    def calmed(self, chat: Leaky, at: int) -> None:
        """The person wrote."""
        gone = chat.read(at) * (1 - self.temper.calm)
        chat.value -= gone
        self.mood.add(at, -gone)

    def hold(self, at: int, level: float, until: int) -> None:
        """Keep the score at least at ``level`` until then, whatever happens in the chats."""
        self._hold_level, self._hold_until = level, until
        self._smooth = max(self._smooth, level)
        self._seen = at

    def score(self, at: int) -> float:
        """Return the score before smoothing; about 0.4 on a good day."""
        t = self.temper
        mood = (self.mood.read(at) + t.usual_mood * t.audience_floor) / (self.audience.read(at) + t.audience_floor)
        rush = 0.0
        for fast, habit, slack, floor in self._rushes:
            usual = habit.read(at) * fast.half_life / habit.half_life
            rush += min(t.rush_cap, t.rush_slope * max(0.0, fast.read(at) / (slack * usual + floor) - 1))
        return mood + rush

    def judge(self, at: int) -> str | None:
        """Return the new health where it changes now, else None; asked once a tick."""
        t = self.temper
        target = self.score(at)
        keep = 0.5 ** ((at - self._seen) / t.smoothing)
        self._smooth, self._seen = self._smooth * keep + target * (1 - keep), at
        level = max(self._smooth, self._hold_level) if at < self._hold_until else self._smooth
        wanted = self._wanted(level)
        order = ("HEALTHY", "AT_RISK", "CRITICAL")
        worse = order.index(wanted) > order.index(self.health)
        forced = at < self._hold_until and level <= self._hold_level
        rest = 0.0 if worse and forced else t.rest_up if worse else t.rest_down
        if wanted == self.health or at - self._since < rest:
            return None
        self.health, self._since = wanted, at
        return wanted

    def _wanted(self, level: float) -> str:
        t = self.temper
        if self.health == "CRITICAL":
            return "CRITICAL" if level > t.less_critical else "AT_RISK"
        if level > t.critical:
            # a step at a time, unless something outside holds it there
            return "CRITICAL" if self.health == "AT_RISK" or level <= self._hold_level else "AT_RISK"
        if self.health == "AT_RISK":
            return "AT_RISK" if level > t.healthy else "HEALTHY"
        return "AT_RISK" if level > t.at_risk else "HEALTHY"

    def chat_health(self, chat: Leaky, at: int, known: str) -> str:
        """Return the health of one chat by its own annoyance; it gets better at half the level at which it got worse."""
        t, level = self.temper, chat.read(at)
        ease = 0.5 if known in ("AT_RISK", "CRITICAL") else 1.0
        if level > t.chat_critical * (ease if known == "CRITICAL" else 1.0):
            return "CRITICAL"
        return "AT_RISK" if level > t.chat_at_risk * ease else "HEALTHY"
