"""One call of the API in, its decoded answer out: pace, repeats with back-off, and errors that say which setting is wrong.

What is repeated: 408, 409, 429, 5xx, cut connections and cut answers; 429 holds every call for as long as the API says, in its
header or in its body. What is not: 401 and 403 (the key), and any other refusal. No error and no log holds the key, a chat's id or
a word of the answer: the vendor's own number of the error is all that is told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TypeVar

import httpx
import msgspec

from analysis.errors import LiveError
from analysis.live.connection import KEY, URL, Connection
from analysis.live.pace import Pace, backoff

T = TypeVar("T")
_AGAIN = (408, 409, 429)


class _Detail(msgspec.Struct):
    code: int | None = None
    retry_after: float | None = None


class _Refusal(msgspec.Struct):
    error: _Detail = msgspec.field(default_factory=_Detail)


class RefusedError(LiveError):
    """The API answered with a status that no repeat changes."""

    def __init__(self, status: int, code: int | None, what: str, wait_s: float | None = None) -> None:
        self.status, self.code, self.wait_s = status, code, wait_s
        number = f"{status}" if code is None else f"{status}, code {code}"
        if status == 401:
            told = f"the API does not accept the key ({number})", f"${KEY}", "set it to a valid token of your account"
        elif status == 403:
            told = (
                f"the key has no right to {what} ({number})",
                f"${KEY}",
                "use a token of the account that has these lines",
            )
        elif status == 404:
            told = f"the API knows no {what} ({number})", f"${URL}", "check the address, or unset it"
        elif 300 <= status < 400:
            told = f"the address leads elsewhere ({number})", f"${URL}", "set it to the API itself, or unset it"
        else:
            told = f"the API refuses {what} ({number})", "API", "look the code up in the vendor's list of errors"
        super().__init__(told[0], where=told[1], fix=told[2])


class Client:
    """Calls of one API under one pace. ``calls`` counts them all, ``repeats`` those that repeat a failed one."""

    def __init__(self, to: Connection) -> None:
        for name in ("httpx", "httpcore"):  # they log addresses, which hold ids of chats
            logging.getLogger(name).setLevel(logging.WARNING)
        self.to = to
        self.calls = self.repeats = 0
        self.waits_until = 0.0
        """On the monotonic clock: the API asked for quiet until then."""
        self.held: Callable[[], None] = lambda: None
        """Called when the API has asked for quiet."""
        self._pace = Pace(to.rate)
        self._http = httpx.AsyncClient(
            base_url=to.url,
            headers={"Authorization": f"Bearer {to.key}", "Accept": "application/json"},
            timeout=httpx.Timeout(60, connect=5),
            transport=to.transport,
            follow_redirects=False,  # the key goes to the address that was named, nowhere else
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        path: str,
        read: Callable[[bytes], T],
        *,
        what: str,
        query: dict[str, str | int] | None = None,
        wait: bool = True,
    ) -> T:
        """Return ``read(body)`` of a successful answer.

        Args:
            method: GET or POST.
            path: below the address, begins with "v3/"; parts that vary are quoted already.
            read: decodes a body; its msgspec.DecodeError counts as a cut answer.
            what: what is asked for, in words for an error; holds no id.
            query: parameters.
            wait: False: a 429 is raised as RefusedError with ``wait_s`` instead of waited for.

        Raises:
            RefusedError: 401, 403 or another answer that no repeat changes. LiveError: no success after all tries.
        """
        why = ""
        for failures in range(self.to.tries):
            if failures:
                self.repeats += 1
            await self._pace.turn()
            self.calls += 1
            pause = backoff(failures + 1, self.to.backoff_s, self.to.longest_s)
            try:
                answer = await self._http.request(method, path, params=query)
                if answer.is_success:
                    return read(answer.content)
            except httpx.RequestError as e:
                why = "it cannot be reached" if isinstance(e, httpx.ConnectError | httpx.ConnectTimeout) else "the connection broke"  # fmt: skip
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                why = "its answer is no JSON of this kind, or cut"
            else:
                status, detail = answer.status_code, _detail(answer)
                told = _told_wait(answer, detail)
                if (status not in _AGAIN and status < 500) or (status == 429 and not wait):
                    raise RefusedError(status, detail.code, what, told)
                why = f"it answers {status}"
                if told is not None:
                    self._patient(told, what)
                    pause = max(pause, told) if status != 429 else told
                if status == 429:
                    self.waits_until = time.monotonic() + pause
                    self._pace.hold(pause)
                    self.held()
                    continue
            if failures + 1 < self.to.tries:
                await asyncio.sleep(pause)
        raise LiveError(
            f"no success in {self.to.tries} tries of {what}: {why}",
            where=self._http.base_url.host,
            fix="try again later; what was pulled is kept and the next run goes on from there",
        )

    def _patient(self, seconds: float, what: str) -> None:
        if seconds > self.to.patience_s:
            raise LiveError(
                f"the API asks to wait {seconds / 60:,.0f} minutes before {what}",
                where=self._http.base_url.host,
                fix="run the same command again then (or raise the setting pull_wait_minutes); what was pulled is kept",
            )


def _detail(answer: httpx.Response) -> _Detail:
    try:
        return msgspec.json.decode(answer.content, type=_Refusal, strict=False).error
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _Detail()


def _told_wait(answer: httpx.Response, detail: _Detail) -> float | None:
    """Return how long the API asks to wait, s: the longest of what header and body say; None where neither does."""
    told = [detail.retry_after] if detail.retry_after is not None else []
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = answer.headers.get(name, "").strip()
        try:
            told.append(float(text) * unit)
        except ValueError:
            at = _date(text)
            if at is not None and unit == 1.0:
                told.append((at - datetime.now(UTC)).total_seconds())
    told = [max(0.0, s) for s in told if s == s]  # "nan" is no time
    return max(told) if told else None


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
