"""Manners of the API's client: pace, waiting when asked to, trying again, and giving up at once where that helps nothing."""

import asyncio
import itertools
from types import SimpleNamespace

import httpx
import pytest

from analysis.errors import LiveError, UsageError
from analysis.live import Client, Connection, connection
from analysis.settings import Settings
from tests.live.fake_linq import KEY


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    for module in ("pace", "client"):
        monkeypatch.setattr(f"analysis.live.{module}.time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(asyncio, "sleep", made.sleep)
    return made


def called(answer, work=None, **more: object):
    """Run work (default: one GET) against a function of the request, over a connection with the real waits."""
    told = {"rate": 2.0, "transport": httpx.MockTransport(answer)} | more

    async def go():
        async with Client(Connection(KEY, "https://fake.example/api/partner", **told)) as client:  # type: ignore[arg-type]
            return await (work or (lambda c: c.call("GET", "v3/phone_numbers", bytes, what="the lines")))(client)

    return asyncio.run(go())


class TestManners:
    def test_calls_are_spaced_to_the_pace(self, clock):
        at = []

        async def many(client):
            await asyncio.gather(*(client.call("GET", "v3/x", bytes, what="x") for _ in range(7)))

        called(lambda request: at.append(clock.now) or httpx.Response(200, content=b"{}"), many)
        assert [round(b - a, 6) for a, b in itertools.pairwise(at)] == [0.5] * 6

    @pytest.mark.parametrize(
        ("headers", "body", "waits"),
        [
            ({"Retry-After": "42"}, {}, 42),
            ({}, {"error": {"retry_after": 17}}, 17),
            ({"Retry-After": "5"}, {"error": {"retry_after": 9}}, 9),
            ({"Retry-After-Ms": "1500"}, {}, 1.5),
            ({"Retry-After": "nonsense"}, {"error": {"retry_after": "4"}}, 4),
        ],
    )
    def test_429_holds_every_call_for_as_long_as_header_or_body_say(self, clock, headers, body, waits):
        at = []

        def answer(request):
            at.append(clock.now)
            return (
                httpx.Response(429, headers=headers, json=body) if len(at) == 1 else httpx.Response(200, content=b"{}")
            )

        async def two(client):
            first = asyncio.create_task(client.call("GET", "v3/x", bytes, what="x"))
            await asyncio.sleep(0)
            await client.call("GET", "v3/x", bytes, what="x")
            await first

        called(answer, two)
        assert len(at) == 3
        assert at[1] - at[0] == pytest.approx(waits) or at[1] - at[0] == pytest.approx(0.5)
        assert at[-1] - at[0] >= waits
        called(answer, lambda c: c.call("GET", "v3/x", bytes, what="x"))

    def test_a_date_in_retry_after_is_understood(self, clock):
        far = httpx.Response(429, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"})
        with pytest.raises(LiveError, match=r"asks to wait [\d,]+ minutes before the lines.*pull_wait_minutes"):
            called(lambda request: far)

    @pytest.mark.parametrize(
        "trouble", [500, 503, 408, 409, httpx.ReadError("x"), httpx.ConnectTimeout("x"), b'{"phone']
    )
    def test_passing_troubles_are_tried_again_with_growing_pauses_up_to_a_cap(self, clock, trouble):
        at = []

        def answer(request):
            at.append(clock.now)
            if isinstance(trouble, Exception):
                raise trouble
            return httpx.Response(200, content=trouble) if isinstance(trouble, bytes) else httpx.Response(trouble)

        def read(body):
            import msgspec

            return msgspec.json.decode(body)

        with pytest.raises(LiveError, match="no success in 9 tries"):
            called(answer, lambda c: c.call("GET", "v3/x", read, what="x"), tries=9, longest_s=10.0, rate=1e6)
        pauses = [b - a for a, b in itertools.pairwise(at)]
        assert len(at) == 9
        assert all(
            0.5 * want <= p <= want + 0.01 for p, want in zip(pauses, (0.5, 1, 2, 4, 8, 10, 10, 10), strict=True)
        )
        assert len({round(p / w, 3) for p, w in zip(pauses, (0.5, 1, 2, 4, 8, 10, 10, 10), strict=True)}) > 3  # jitter

    @pytest.mark.parametrize(
        ("status", "says"),
        [
            (401, r"\$LINQ_API_V3_API_KEY: the API does not accept the key \(401, code 2004\)"),
            (403, r"\$LINQ_API_V3_API_KEY: the key has no right to the lines \(403, code 2004\)"),
            (404, r"\$LINQ_API_V3_BASE_URL: the API knows no the lines|\$LINQ_API_V3_BASE_URL"),
            (302, r"\$LINQ_API_V3_BASE_URL: the address leads elsewhere"),
            (400, r"refuses the lines \(400, code 2004\)"),
        ],
    )
    def test_what_no_repeat_changes_fails_at_once_and_says_which_setting(self, clock, status, says):
        seen = []
        body = {"success": False, "error": {"status": status, "code": 2004, "message": "SECRET of Ada"}}
        with pytest.raises(LiveError, match=says) as told:
            called(lambda request: seen.append(1) or httpx.Response(status, json=body))
        assert len(seen) == 1
        assert "SECRET" not in str(told.value)
        assert KEY not in str(told.value)
        assert told.value.__cause__ is None

    @pytest.mark.parametrize("url", ["http://api.linqapp.com/api", "ftp://x", "https://", "https://user:pw@host/api", "nonsense", "http://127.0.0.1.evil.example"])  # fmt: skip
    def test_the_key_goes_only_over_https_or_to_this_machine(self, monkeypatch, url):
        monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
        monkeypatch.setenv("LINQ_API_V3_BASE_URL", url)
        with pytest.raises(UsageError, match=r"\$LINQ_API_V3_BASE_URL"):
            connection(Settings())

    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("LINQ_API_V3_API_KEY", "", "the key of the API is missing"),
            ("LINQ_API_V3_API_KEY", "tok 1", "blanks or letters"),
            ("LINQ_API_V3_API_KEY", "tök", "blanks or letters"),
            ("LINEHEALTH_PULL_RATE", "fast", "calls a second"),
            ("LINEHEALTH_PULL_RATE", "0", "calls a second"),
        ],
    )
    def test_what_cannot_be_is_said_before_the_first_call(self, monkeypatch, command, store, name, value, says):
        monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
        monkeypatch.setenv(name, value)
        code, out, err = command("pull", "--store", store)
        assert (code, out) == (2, "")
        assert says in err
        assert f"${name}" in err
        assert len(value) < 2 or value not in err.replace(f"${name}", "")
        assert not store.exists()

    def test_pace_comes_from_the_environment_then_from_the_settings(self, monkeypatch):
        monkeypatch.setenv("LINQ_API_V3_API_KEY", KEY)
        assert connection(Settings()).rate == 2.0
        assert connection(Settings(pull_rate=0.5)).rate == 0.5
        monkeypatch.setenv("LINEHEALTH_PULL_RATE", "4")
        assert connection(Settings(pull_rate=0.5)).rate == 4.0
        assert KEY not in repr(connection(Settings()))
