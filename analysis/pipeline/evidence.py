"""One change of one line in; a ZIP for the vendor's support out: reasons, hourly figures around it, failure codes, trace ids, sample message ids.

No message text and no recipient is in it. The same store gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl

from analysis.errors import UsageError
from analysis.pipeline.moments import When, instant, iso, moment
from analysis.pipeline.opened import Where, kept_open, reading
from analysis.pipeline.reading import explanations, failures, fingerprint, openers, settings, signals
from analysis.pipeline.small import few, is_small
from analysis.pipeline.text import as_csv, as_text
from analysis.schema import SEVERITY, Explanation
from analysis.store import read, read_detail

HOURS_BEFORE, HOURS_AFTER = timedelta(days=9), timedelta(days=3)
"""The hours that are packed: from so long before it began to so long after the change, as the lanes of Why show them."""
DAYS_BEFORE = timedelta(days=33)
"""The days that are packed before the change: the usual is taken from these."""
FAILED, OTHERS = 500, 100
"""At most so many failed sends, and others, are listed: the last ones."""
README = """Line Health: what is known about one change of a line's health, for the vendor's support

line    {line}
change  {change}, {at}
store   {fingerprint}

change.txt           the reasons as text
change.json          the same with every figure (analysis/METHOD.md has the definitions)
signals_hour.csv     the line's signals by hour around the change
signals_day.csv      the line's signals by day in the {days} days before it and up to it
chats.csv            the chats that weigh most in it, by the vendor's chat id
failures.csv         failed sends by hour and code around it, where there were any
openers.csv          conversations opened around it, where there were any
failed_messages.csv  the last {failed} failed sends around it at most: message id, chat id, times, code, and the vendor's trace id where the export told it
sample_messages.csv  the last {others} other sends around it at most, by message id

Of fewer chats than the setting report_small_group no list and no chat id is packed, and counts of so few are not told. Times are UTC. There is no message text in here and no recipient: chats and messages are named by the vendor's id, or by a keyed name where an id would tell a person.
"""


def hours_around(e: Explanation, as_of: datetime) -> tuple[datetime, datetime]:
    """Return the hours of a change that are told one by one: half a day before it began (three and a half before the change at most) to 12 h after it."""
    at = instant(e.at)
    began = max(instant(e.onset), at - timedelta(days=3)) if e.onset else at - timedelta(days=1)
    start = (began - timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
    return start, min(at + timedelta(hours=12), max(as_of, at) + timedelta(hours=1))


def evidence(store: Where = None, *, line: str, at: When = None, out: str | Path | None = None) -> bytes:
    """Return the evidence of a change as a ZIP.

    Args:
        store: path of the store.
        line: the line, E.164.
        at: time of the change: to the millisecond, the minute, or its day; the line's last change for the worse where None.
        out: also write it to this file.

    Raises:
        UsageError: no such line or change, or a file that cannot be written. StoreError: the store cannot be read.

    Example:
        >>> import io, zipfile
        >>> pack = lh.evidence(line="+13125550103")
        >>> zipfile.ZipFile(io.BytesIO(pack)).testzip() is None
        True
    """
    with kept_open():
        packed = bundle(store, _change(store, line, at))
    if out is not None:
        try:
            Path(out).write_bytes(packed)
        except OSError as e:
            fix = "name a folder that exists and that you may write to"
            raise UsageError(f"cannot be written ({e.strerror})", where=str(out), fix=fix) from None
    return packed


def bundle(store: Where, e: Explanation) -> bytes:
    """Return the evidence of one explained change as a ZIP."""
    at = instant(e.at)
    began = instant(e.onset) if e.onset else at
    with reading(store) as con:
        start, end = hours_around(e, read.newest(con) or at)
        samples = [
            read_detail.samples(con, line=e.line, since=start, until=end, failed=failed, most=most)
            for failed, most in ((True, FAILED), (False, OTHERS))
        ]
    day = pl.col("day").cast(pl.Date)
    days = signals(store, line=e.line).filter(day >= (at - DAYS_BEFORE).date(), day <= at.date())
    until = at + HOURS_AFTER + timedelta(hours=1)
    tables = {
        "signals_hour.csv": signals(store, grain="hour", line=e.line, since=began - HOURS_BEFORE, until=until),
        "signals_day.csv": days,
        "chats.csv": pl.DataFrame(e.chats_to_fix, infer_schema_length=None),
        "failures.csv": failures(store, line=e.line, since=start, until=end),
        "openers.csv": openers(store, line=e.line, since=start, until=end),
        "failed_messages.csv": samples[0],
        "sample_messages.csv": samples[1],
    }
    least = settings(store).report_small_group
    known = _chats_named(tables)
    if is_small(known, least):  # ids of so few chats would single people out
        for name in ("chats.csv", "openers.csv", "sample_messages.csv"):
            tables[name] = pl.DataFrame()
        tables["failed_messages.csv"] = tables["failed_messages.csv"].drop("chat_id", strict=False)
        e = msgspec.structs.replace(e, chats_to_fix=[])
    about = README.format(
        line=e.line, change=f"{e.previous or 'unknown'} -> {e.new}", at=e.at, fingerprint=fingerprint(store),
        days=DAYS_BEFORE.days, failed=FAILED, others=OTHERS,
    )  # fmt: skip
    files = {
        "README.txt": about,
        "change.txt": few(as_text(e), least) + "\n",
        "change.json": few(msgspec.json.format(msgspec.json.encode(e), indent=2).decode(), least),
        **{name: as_csv(frame) for name, frame in tables.items() if frame.height},
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as packed:
        for name, text in files.items():
            head = zipfile.ZipInfo(name)  # its own date, 1980, on every run
            head.compress_type, head.create_system, head.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            packed.writestr(head, text)
    return whole.getvalue()


def _chats_named(tables: dict[str, pl.DataFrame]) -> int:
    """Return how many different chats the tables of an evidence name."""
    return len({chat for frame in tables.values() if "chat_id" in frame.columns for chat in frame["chat_id"]})


def _change(store: Where, line: str, at: When) -> Explanation:
    found = explanations(store, line=line)
    if not found:
        raise UsageError(
            "no change of this line in the store", where=line, fix="`linehealth explain` lists the changes"
        )
    if at is None:
        worse = [e for e in found if SEVERITY.get(e.new, 0) > SEVERITY.get(e.previous or "", 0)]
        return (worse or found)[-1]
    wanted = str(iso(moment(at)))
    for shown in (
        (len(wanted), 19, 16) if ":" in str(at) or "T" in str(at) else (10,)
    ):  # the instant, its second, its minute; or its day
        same = [e for e in found if e.at[:shown] == wanted[:shown]]
        if same:
            return same[-1]
    raise UsageError("no change at this time", where=f"{line} {at}", fix="`linehealth explain` lists the changes")
