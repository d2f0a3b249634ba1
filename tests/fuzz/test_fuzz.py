"""Ten thousand mutated inputs, every reader: used or refused, counted, in time. The nightly run of a million: python -m tests.fuzz."""

import asyncio
import json

import httpx
import pytest

from analysis.errors import LiveError
from analysis.live.client import Client
from analysis.live.connection import Connection
from analysis.live.reading import Reader
from analysis.pages import _period
from analysis.settings import Settings
from analysis.sources import Pseudonyms
from analysis.sources.checks import Rules
from analysis.sources.delivered import Keeper, read_kept
from analysis.sources.rows import Rows
from tests import events
from tests.fuzz.__main__ import batch
from tests.fuzz.readers import READERS

INPUTS = {
    "webhook": 4500, "csv": 1500, "parquet": 1000, "receiver": 1500, "api": 250, "url": 600, "mapping": 50, "settings": 300, "actions": 200, "spool": 100,
}  # fmt: skip


def test_ten_thousand_inputs_cover_every_reader():
    assert INPUTS.keys() == READERS.keys()
    assert sum(INPUTS.values()) == 10_000


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", INPUTS)
def test_mutated_inputs_are_used_or_refused_and_counted(name):
    batch(name, 20_261_128, INPUTS[name])


def _answered(body: bytes, status: int = 200):
    async def work():
        to = Connection(
            "k",
            "https://api.test",
            rate=1e9,
            tries=1,
            transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)),
        )
        async with Client(to) as client:
            return await Reader(client, Rules(Settings(), Pseudonyms(b"k"))).lines()

    return asyncio.run(work())


@pytest.mark.parametrize(
    "body", [b'{"phone_numbers":' + b"[" * 5000, b'{"phone_numbers":[{"phone_number":"\xed\xa0\x80"}]}', b"\xff"]
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_is_deep_or_no_text_is_an_error_in_one_sentence(body, status):
    with pytest.raises(LiveError):
        _answered(body, status)


def test_a_line_of_the_spool_of_other_types_is_damaged():
    line, _ = Keeper(Pseudonyms(b"k")).keep(json.dumps(events.message("message.sent", "m1", 1)).encode(), 1)
    read_kept(line, 1, Rows())
    kept = json.loads(line)
    for place in (0, 11):
        broken = json.loads(line)
        broken[1][0][place] = 5
        with pytest.raises(ValueError, match="Expected"):
            read_kept(json.dumps(broken).encode(), 1, Rows())
    kept[1][0].pop()
    with pytest.raises(ValueError, match="of length 18"):
        read_kept(json.dumps(kept).encode(), 1, Rows())


@pytest.mark.parametrize("ends", [("20260901T1200", "99991231T2359"), ("00010101T0000", "20260901T1200")])
def test_a_period_at_the_end_of_the_calendar_is_none(ends):
    assert _period.addressed(dict(zip(("from", "to"), ends, strict=True))) is None
    assert _period.addressed({"from": "20260901T1200", "to": "20260901T1300"}) is not None
