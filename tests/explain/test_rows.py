"""A line's messages as arrays are its messages: by chat, by time, after a way over the disk, and with any number of names."""

import pickle
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analysis.explain.asks import rows_of
from analysis.explain.rows import Row, Rows, _Names
from analysis.explain.running import NEVER
from analysis.schema import CHAT_HEALTH, MESSAGES

START = datetime(2026, 3, 1)


def frame(seed, fingerprints):
    """Messages of seven chats on two lines, many at the same instants, most with no receipt, failure, code or fingerprint."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(700):
        at, sent = START + timedelta(minutes=int(rng.integers(0, 300))), bool(rng.random() < 0.7)
        some = rng.random(4) < 0.3
        found.append(
            {
                "message_id": f"m{i}",
                "line": f"+{rng.integers(1, 3)}",
                "chat_id": f"c{rng.integers(0, 7)}",
                "direction": "outbound" if sent else "inbound",
                "at": at,
                "failed": bool(some[1]),
                "delivered_at": at + timedelta(seconds=3) if some[0] else None,
                "failed_at": at + timedelta(seconds=9) if some[1] else None,
                "failure_code": f"{4000 + rng.integers(0, 3)}" if some[1] else None,
                "service": ["SMS", "iMessage", None][rng.integers(0, 3)],
                "fingerprint": f"f{i % fingerprints}" if fingerprints and i % 5 else None,
            }
        )
    return rows_of(pl.DataFrame(found, MESSAGES), pl.DataFrame(schema=CHAT_HEALTH)).filter(line="+2")


def records(rows):
    names = ("chat_id", "at", "outbound", "receipt", "failed", "code", "service", "fingerprint")
    return [Row(*row) for row in rows.select(names).iter_rows()]


@pytest.mark.parametrize(("seed", "fingerprints"), [(1, 0), (2, 3), (3, 255), (4, 256), (5, 5_000)])
@pytest.mark.parametrize("read_again", [False, True])
def test_all_that_is_asked_of_rows_is_what_the_messages_say(seed, fingerprints, read_again):
    rows = frame(seed, fingerprints)
    plain, of = records(rows), Rows(rows)
    if read_again:
        assert of.send_at.any()
        assert of.of_chat("c1")
        of = pickle.loads(pickle.dumps(of))
    assert len(of) == len(plain) > 300
    for chat in [f"c{i}" for i in range(7)]:
        assert of.of_chat(chat) == [row for row in plain if row.chat == chat] != []
    assert of.of_chat("nobody") == []
    since, until = np.quantile([row.at for row in plain], [0.2, 0.6]).astype(int).tolist()
    sends = sorted((row for row in plain if row.outbound and since < row.at <= until), key=lambda row: row.at)
    assert of.sends_in(since, until) == sends != []  # of one instant in order of chat
    assert of.sent_in(since, until).services == sorted({row.service for row in sends})
    assert of.sent_in(since, until).lost.tolist() == [NEVER] * len(sends)
    assert of.times_in(since, until) == [(row.chat, row.at) for row in plain if since < row.at <= until]
    assert of.fingerprinted == any(row.fingerprint for row in plain if row.outbound) == (fingerprints > 0)


@pytest.mark.parametrize("many", [0, 1, 254, 255, 256, 257, 65_535, 65_536])
def test_names_are_those_that_were_there_however_many_there_are(many):
    names = [*(f"n{i:05}" for i in range(many)), None, None]
    kept = _Names(pl.Series(names, dtype=pl.String))
    assert kept.of(np.arange(len(names))) == names
    assert kept.known.tolist() == [name is not None for name in names]
