"""One line in, the vendor's audit of it asked for and looked at: the calls only; when to ask and what to keep is the pipeline's."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from analysis.errors import LiveError
from analysis.live.client import Client, RefusedError


class _Started(msgspec.Struct):
    audit_id: str
    status: str = "pending"


@dataclass(frozen=True)
class Asked:
    """An audit that the API is making, or has made."""

    audit_id: str


@dataclass(frozen=True)
class Cooldown:
    """The API gives no new audit of this line for so long."""

    seconds: float | None


def _path(line: str) -> str:
    return f"v3/phone_numbers/{quote(line, safe='')}/reputation_audit"


async def ask_audit(client: Client, line: str) -> Asked | Cooldown:
    """Ask for an audit of a line (E.164): a new one, or the one that is being made (api.md, section 3).

    Raises:
        LiveError: as ``Client.call``; a line that the API does not know says so.
    """
    read = msgspec.json.Decoder(_Started).decode
    try:
        told = await client.call("POST", _path(line), read, what="an audit", wait=False)
    except RefusedError as e:
        if e.status == 429:
            return Cooldown(e.wait_s)
        if e.status == 404:
            raise LiveError(
                "the API knows no such line", where=line, fix="`linehealth pull` shows which lines the key has"
            ) from None
        raise
    return Asked(told.audit_id)


async def look_at_audit(client: Client, line: str, audit_id: str) -> bytes | None:
    """Return the answer as received: pending, complete or error; None where the API no longer has it (after 24 h)."""

    def read(body: bytes) -> bytes:
        msgspec.json.decode(body, type=_Started)
        return body

    try:
        return await client.call("GET", f"{_path(line)}/{quote(audit_id, safe='')}", read, what="an audit")
    except RefusedError as e:
        if e.status not in (404, 410):
            raise
        return None
