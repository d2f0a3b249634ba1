"""Small made-up cases and fleets: what happened in, the frames that figures and peers take out."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from analysis.evaluate.cases import CASES, OURS
from analysis.evaluate.simple import METHODS
from analysis.schema import CHANGES
from analysis.simulate.frames import TRUTH, Frames
from tests.explain.builders import World

START = datetime(2026, 3, 1)


def case(line="+1", said="engagement", driver="engagement", **more):
    """One worsening: what ours said and what was true; every peer says that nothing explains it."""
    return {
        "family": "drawn",
        "scorer": "ledger",
        "seed": 1,
        "line": line,
        "line_type": "small",
        "at": START,
        "cause": "collapse",
        "planted": driver != "unexplained",
        "driver": driver,
        "also_ok": [],
        OURS: said,
        "ranked": [said],
        "confidence_p": 0.5,
        "headline": "",
        "onset": None,
        "onset_error_h": None,
        **dict.fromkeys(METHODS, "unexplained"),
        "z": [0.0] * 7,
        "found": None,
        "reach": None,
        **more,
    }


def cases(*rows):
    """CASES of these rows, an hour apart."""
    spread = [row | {"at": START + timedelta(hours=i)} for i, row in enumerate(rows)]
    return pl.DataFrame(spread, schema=CASES, orient="row")


def fleet(world: World, flags=()) -> Frames:
    """A world as the fleet that peers are asked about; ``flags`` are (line, day) of a carrier's flag."""
    messages, chats, chat_health, _, _ = world.frames()
    changes = [
        {
            "line": line,
            "changed_at": world.at(day),
            "previous_health": "HEALTHY",
            "new_health": "HEALTHY",
            "previous_status": "ACTIVE",
            "new_status": "FLAGGED",
        }
        for line, day in flags
    ]
    return Frames(
        messages=messages,
        chats=chats,
        chat_health=chat_health,
        changes=pl.DataFrame(changes, schema=CHANGES, orient="row"),
        as_of=messages["at"].max(),
        truth=pl.DataFrame(schema=TRUTH),
    )
