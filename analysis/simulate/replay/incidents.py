"""A fleet's size and seed in, what will happen to each line out: incidents with a name, a time, a size and the driver they stand for."""

from __future__ import annotations

import numpy as np

from analysis.simulate.replay.roles import Role
from analysis.simulate.shared.draws import DAY, HOUR
from analysis.simulate.shared.incidents import Incident, Kind

KINDS = {
    k.name: k
    for k in (
        Kind("silent_blast", "recipient_spread", (0.5, 1.6), ("agent", "campaign", "support", "alert", "community")),
        Kind("opener_burst", "new_conversations", (0.8, 4.0)),
        Kind("cold_list", "engagement", (150, 290), ("agent", "campaign", "support", "community")),
        Kind("collapse", "engagement", (70, 190)),
        Kind("nagging", "engagement", (140, 280)),
        Kind("slow_fade", "engagement", (330, 430), ("agent", "campaign", "support", "peer", "community"), slow=True),
        Kind("loop", "send_pace", (0.2, 0.7)),
        Kind("growth", "send_pace", (60, 130), ("agent", "campaign", "support", "alert")),
        Kind("ignored_opt_outs", "opt_outs", (60, 190)),
        Kind("opt_out_wave", "opt_outs", (3, 9), ("agent", "campaign", "support", "alert", "community")),
        Kind("carrier_block", "deliverability", (7, 50)),
        Kind("carrier_flag", "flagged", (26, 72)),
        Kind("sms_fallback", "", (48, 150)),
        Kind("busy_answered", "", (70, 190)),
        Kind("vendor_side", "unexplained", (0, 0)),
        Kind("organic", "unexplained", (0, 0)),
    )
}
"""``vendor_side`` and ``organic`` touch no message: the scorer itself changes, or its score of one line."""

_DECK = (
    "silent_blast", "opener_burst", "cold_list", "collapse", "nagging", "slow_fade", "loop", "growth", "ignored_opt_outs",
    "opt_out_wave", "carrier_block", "carrier_flag", "opener_burst", "collapse", "loop", "silent_blast", "carrier_block",
)  # fmt: skip
_CONFOUNDERS = ("sms_fallback", "busy_answered", "blip", "blip")
_BLIPS = ("opener_burst", "silent_blast", "carrier_block", "loop", "collapse", "opt_out_wave")
_BLIP = 0.22
"""Size of a harmless small version."""


def plan(
    rng: np.random.Generator, role: Role, deck: list[str], *, start: int, end: int, office: np.ndarray, strength: float
) -> list[Incident]:
    """Return the incidents of one line, in order of time.

    Args:
        rng: of this line.
        role: kind of line; kinds of incidents that make no sense on it are passed over.
        deck: kinds still to be dealt over the fleet; drawn from its end, refilled when empty.
        start: first instant of the line, ms.
        end: instant after its last, ms.
        office: for each UTC hour of the line, whether somebody is at work.
        strength: factor on every size.
    """
    days = (end - start) / DAY
    free = start + int(min(9.0, 0.3 * days) * DAY)
    planned: list[tuple[str, float]] = []
    for _ in range(max(1, int(rng.poisson(days / 15)))):
        planned.append((_dealt(deck, role, rng), float(rng.lognormal(0.2, 0.22)) * strength))
    for _ in range(int(rng.poisson(days / 35))):
        kind = _CONFOUNDERS[int(rng.integers(len(_CONFOUNDERS)))]
        if kind == "blip":
            small = [k for k in _BLIPS if not KINDS[k].roles or role.name in KINDS[k].roles]
            planned.append((small[int(rng.integers(len(small)))], _BLIP * strength))
        else:
            planned.append((kind, float(rng.lognormal(0.0, 0.2))))
    found: list[Incident] = []
    for kind, size in planned:
        at = int(rng.integers(free, max(free + 1, end - DAY // 2)))
        at = _at_work(at, start, office) + int(rng.integers(HOUR))
        length = int(rng.uniform(*KINDS[kind].hours) * HOUR)
        seed = int(rng.integers(2**62))
        found.append(_incident(len(found), kind, at, at + length, size, seed))
        if kind == "growth":  # more volume and fewer replies at once: the guide's own picture of a spike
            found.append(_incident(len(found), "collapse", at, at + length, 0.4 * size, seed + 1))
    return sorted((i for i in found if i.size), key=lambda i: (i.start, i.number))


def _incident(number: int, kind: str, start: int, stop: int, size: float, seed: int) -> Incident:
    of = KINDS[kind]
    return Incident(number, kind, start, stop, size, seed, of.driver, of.slow)


def _dealt(deck: list[str], role: Role, rng: np.random.Generator) -> str:
    for place in range(len(deck) - 1, -1, -1):
        kind = KINDS[deck[place]]
        if not kind.roles or role.name in kind.roles:
            deck.pop(place)
            return kind.name
    deck[:0] = [str(k) for k in rng.permutation(np.array(_DECK))]
    return _dealt(deck, role, rng)


def _at_work(at: int, start: int, office: np.ndarray) -> int:
    hour = (at - start) // HOUR
    ahead = np.flatnonzero(office[hour:])
    return start + int(hour + (ahead[0] if len(ahead) else 0)) * HOUR
