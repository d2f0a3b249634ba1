"""A list of the API in, every row of it out, though rows move from page to page while it is read.

The cursor looks like an offset (api.md, section 4), and nothing says how rows are sorted. A row that moves from a page to come to a
page already read would be missed; then, since every place is read once, another row is seen twice. So a list of several pages is
read again until a reading sees no row twice and none that the readings before did not see: it is complete then unless rows come and
go at once. A list of one page is one answer, and needs no second look. After ``MOST`` readings the rows seen are all there are, and
the list counts as unsettled.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from analysis.live.client import Client

MOST = 6
"""Readings of one list, at most."""


class Page(msgspec.Struct):
    """One page: its rows undecoded, and where the next one begins."""

    chats: list[msgspec.Raw] | None = None
    messages: list[msgspec.Raw] | None = None
    next_cursor: str | int | None = None


read_page = msgspec.json.Decoder(Page).decode


async def walk(
    client: Client,
    path: str,
    rows: Callable[[Page], list[msgspec.Raw] | None],
    take: Callable[[msgspec.Raw], str | None],
    *,
    what: str,
    query: dict[str, str | int],
) -> bool:
    """Hand every row of a list to ``take`` and return whether the list was settled.

    Args:
        client: an open one.
        path: as ``Client.call``.
        rows: picks the rows of a page; None: the answer is not of this kind.
        take: gets a row each time it is seen and returns its id; None: not usable, it does not count.
        what: for errors.
        query: parameters but limit and cursor.
    """

    def read(body: bytes) -> Page:
        page = read_page(body)
        if rows(page) is None:
            raise msgspec.DecodeError("another kind of answer")
        return page

    seen: set[str] = set()
    for reading in range(MOST):
        now: set[str] = set()
        cursors: set[str] = set()
        pages, twice, cursor = 0, False, None
        while True:
            asked: dict[str, str | int] = {**query, "limit": client.to.page}
            if cursor is not None:
                asked["cursor"] = cursor
            page = await client.call("GET", path, read, what=what, query=asked)
            pages += 1
            for row in rows(page) or []:
                name = take(row)
                if name is not None:
                    twice = twice or name in now
                    now.add(name)
            cursor = None if page.next_cursor is None else str(page.next_cursor)
            if not cursor or cursor in cursors:  # a cursor that comes back would lead round for ever
                break
            cursors.add(cursor)
        fresh = not now <= seen
        seen |= now
        if pages == 1 or (reading and not fresh and not twice):
            return True
    return False
