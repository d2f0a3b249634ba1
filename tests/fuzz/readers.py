"""Each reader beside what makes mutated inputs for it and what must hold afterwards: a batch of inputs in, how many were tried out.

What is allowed to happen: the input is used, or refused in one sentence (LineHealthError, a row in quarantine). Anything else is a find.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import zstandard

from analysis import pipeline
from analysis.bench.deliveries import PATH, delivery, signed
from analysis.errors import LineHealthError
from analysis.live.audits import ask_audit, look_at_audit
from analysis.live.client import Client
from analysis.live.connection import Connection
from analysis.live.reading import Reader
from analysis.pages import _period, _replies, _words
from analysis.pipeline import writing
from analysis.pipeline.moments import moment
from analysis.pipeline.opened import settings_of
from analysis.settings import Settings
from analysis.sources import Pseudonyms, load_mapping, read_actions, read_source, time_of
from analysis.sources.checks import Rules
from analysis.sources.delivered import Keeper, read_kept
from analysis.sources.rows import Rows
from tests import events
from tests.fuzz.mutate import TEXTS, TIMES, Mutator
from tests.serve.receiving import made, run

KEY = b"a key that only the fuzzing uses"
SHARED = Path(__file__).resolve().parents[3] / "shared"
Batch = Callable[[Mutator, int, Path], None]


def seeds() -> list[Any]:
    """Well-formed deliveries of every kind: the vendor's examples where they are beside the project, and those of the tests."""
    found: list[Any] = []
    path = SHARED / "examples.jsonl"
    if path.exists():
        found = [
            row["body"] for row in map(json.loads, path.read_text().splitlines()) if isinstance(row.get("body"), dict)
        ]
    for n in range(6):
        chat, line = f"chat-{n % 3}", f"+1415555014{n % 2}"
        found += [
            events.message("message.sent", f"m{n}", n, chat=chat, line=line),
            events.message("message.received", f"r{n}", n + 0.5, chat=chat, line=line),
            events.message("message.delivered", f"m{n}", n, chat=chat, line=line),
            events.failed(f"m{n}", n + 0.2, chat=chat),
            events.changed(n, "HEALTHY", "AT_RISK", line=line),
            events.created(chat, n, line=line),
            {"body": json.dumps(events.message("message.sent", f"w{n}", n))},
            {"payload": events.created(chat, n)},
        ]
    return found


def adds_up(report: Any) -> None:
    """Counts of every file add up to what was read of it."""
    for s in report.sources:
        assert s.read == s.inserted + s.merged + s.duplicates + s.ignored + s.quarantined, (
            f"counts of a {s.kind} file do not add up"
        )
        assert s.quarantined >= 0
        assert s.inserted >= 0


def _load(files: list[Path], folder: Path, mapping: Path | None = None, *, full: bool = False) -> Any:
    """Load files into a store of their own; marts only where asked for, since they cost more than the reading."""
    derive = writing.derive
    if not full:
        writing.derive = lambda *args, **more: None  # type: ignore[assignment]
    try:
        report = pipeline.load(list(files), store=folder / "fuzz.duckdb", mapping=mapping)
    finally:
        writing.derive = derive
    adds_up(report)
    return report


def webhook(m: Mutator, count: int, folder: Path) -> None:
    """Lines of a log, plain or packed, sometimes with the packing cut or flipped; every twentieth batch is explained too."""
    known = seeds()
    lines = [m.json(m.draw.choice(known), known) for _ in range(count)]
    lines = [line.replace(b"\n", b" ") for line in lines]
    data = b"\n".join([json.dumps(events.message("message.sent", "first", 0)).encode(), *lines])
    packing = m.draw.randrange(8)
    if packing == 0:
        data = gzip.compress(data, 1)
    elif packing == 1:
        data = zstandard.compress(data, 1)
    if packing < 2 and m.draw.random() < 0.5:
        data = m.bytes(data)
    path = folder / "log.jsonl"
    path.write_bytes(data)
    report = _load([path], folder, full=m.draw.random() < 0.05)
    if packing >= 2:
        (source,) = report.sources
        blank = sum(not line.strip() for line in lines)
        assert source.read == count + 1 - blank, "a line was lost, or counted twice"


_TABLES: dict[str, tuple[str, ...]] = {
    "messages": ("message_id", "line", "chat_id", "recipient", "direction", "sent_at", "delivered_at", "failed_at", "failure_code", "service", "is_group", "fingerprint"),
    "transitions": ("line", "changed_at", "previous_health", "new_health", "previous_status", "new_status"),
    "chats": ("chat_id", "line", "recipient", "is_group", "created_at", "health", "health_updated_at"),
}  # fmt: skip


def _row(table: str, n: int) -> dict[str, Any]:
    at = f"2026-09-{1 + n % 28:02d}T{n % 24:02d}:{n % 60:02d}:00.{n % 1000:03d}Z"
    known: dict[str, Any] = {
        "message_id": f"m{n}", "line": f"+1415555014{n % 3}", "chat_id": f"c{n % 40}", "recipient": f"+1206555{n % 1000:04d}",
        "direction": "outbound" if n % 3 else "inbound", "sent_at": at, "delivered_at": at, "failed_at": "", "failure_code": "", "service": "SMS",
        "is_group": "false", "fingerprint": f"{n % 9:x}", "changed_at": at, "previous_health": "HEALTHY", "new_health": ("AT_RISK", "CRITICAL")[n % 2],
        "previous_status": "ACTIVE", "new_status": "ACTIVE", "created_at": at, "health": "HEALTHY", "health_updated_at": at,
    }  # fmt: skip
    return {c: known[c] for c in _TABLES[table]}


def tables_csv(m: Mutator, count: int, folder: Path) -> None:
    """CSV files of all three tables, cells and lines mutated; some with another header, quotes left open, or foreign delimiters."""
    files, rest, number = [], count, 0
    while rest > 0:
        size, rest, number = min(rest, m.draw.choice((1, 50, 500, 2000))), rest, number + 1
        rest -= size
        table = m.draw.choice(tuple(_TABLES))
        out = io.StringIO()
        write = csv.writer(out, delimiter=m.draw.choice(",,,;\t|"), lineterminator="\n")
        header = list(_TABLES[table])
        if m.draw.random() < 0.2:
            header[m.draw.randrange(len(header))] = m.text(m.draw.choice(header))[:300]
        write.writerow(header)
        for n in range(size):
            cells = [str(v) for v in _row(table, n).values()]
            for _ in range(m.draw.choice((0, 1, 1, 2))):
                cells[m.draw.randrange(len(cells))] = m.text(m.draw.choice(cells))
            if m.draw.random() < 0.03:
                cells = cells[: m.draw.randrange(len(cells))] or ["x"] * m.draw.randrange(99)
            write.writerow(cells)
        data = out.getvalue().encode("utf-8", "surrogatepass")
        if m.draw.random() < 0.3:
            data = m.bytes(data)
        path = folder / f"{number}.csv"
        path.write_bytes(data)
        files.append(path)
    _load(files, folder, full=m.draw.random() < 0.02)


def _odd_column(m: Mutator, column: str, rows: list[dict[str, Any]]) -> pl.Series:
    size, draw = len(rows), m.draw
    texts = pl.Series(column, [r[column] for r in rows], dtype=pl.String)
    kind = draw.randrange(16)
    if kind < 6:
        return texts.map_elements(lambda v: m.text(v).encode("utf-8", "replace").decode() if draw.random() < 0.3 else v, return_dtype=pl.String)  # fmt: skip
    numbers = [draw.choice((0, -1, 2**31, 2**62, 1767225600, 1767225600000, None)) for _ in range(size)]
    if kind == 6:
        return pl.Series(column, numbers, dtype=pl.Int64)
    if kind == 7:
        return pl.Series(
            column,
            [draw.choice((float("nan"), float("inf"), -1e300, 1.7e9, None)) for _ in range(size)],
            dtype=pl.Float64,
        )
    if kind == 8:
        return pl.Series(column, numbers, dtype=pl.Int64).cast(
            pl.Datetime(draw.choice(("ms", "us", "ns")), draw.choice((None, "UTC", "Asia/Tokyo")))
        )
    if kind == 9:
        return pl.Series(column, [[1, None]] * size)
    if kind == 10:
        return pl.Series(column, [{"handle": t, "status": {"x": t}} for t in texts])
    if kind == 11:
        return pl.Series(column, [draw.randbytes(5) for _ in range(size)])
    if kind == 12:
        return texts.cast(pl.Categorical)
    if kind == 13:
        return pl.Series(column, [draw.choice((True, False, None)) for _ in range(size)], dtype=pl.Boolean)
    if kind == 14:
        return pl.Series(
            column, [None] * size, dtype=draw.choice((pl.Null, pl.Date, pl.Duration("us"), pl.Time, pl.Decimal(20, 2)))
        )
    return pl.Series(column, [draw.randrange(-(2**31), 2**31 - 1) for _ in range(size)], dtype=pl.Int32).cast(
        draw.choice((pl.Date, pl.Int32))
    )


def tables_parquet(m: Mutator, count: int, folder: Path) -> None:
    """Parquet files of all three tables with columns of other types and mutated cells; some with bytes flipped or cut."""
    files, rest, number = [], count, 0
    while rest > 0:
        size, number = min(rest, m.draw.choice((1, 20, 200, 1000))), number + 1
        rest -= size
        table = m.draw.choice(tuple(_TABLES))
        rows = [_row(table, n) for n in range(size)]
        odd = m.draw.choice((1, 2, 12))
        chosen = set(m.draw.sample(_TABLES[table], min(odd, len(_TABLES[table]))))
        frame = pl.DataFrame(
            [
                _odd_column(m, c, rows) if c in chosen else pl.Series(c, [r[c] for r in rows], dtype=pl.String)
                for c in _TABLES[table]
            ]
        )
        path = folder / f"{number}.parquet"
        frame.write_parquet(
            path,
            compression=m.draw.choice(("zstd", "lz4", "uncompressed")),
            row_group_size=m.draw.choice((None, 7, 100)),
        )
        if m.draw.random() < 0.3:
            path.write_bytes(m.bytes(path.read_bytes()))
        files.append(path)
    _load(files, folder, full=m.draw.random() < 0.02)


_MAPPING = {
    "columns": {"line": "Our No", "chat_id": "conv", "direction": "dir", "sent_at": "ts", "recipient": "who"},
    "constants": {"service": "SMS", "is_group": False},
    "values": {"direction": {"o": "outbound", "i": "inbound"}},
    "time": {"unit": "s", "zone": "America/New_York"},
    "file": {"table": "messages", "delimiter": ",", "header": ["Our No", "conv", "dir", "ts", "who"]},
}
_ZONES = (
    "",
    "America",
    "../../etc/passwd",
    "UTC\x00",
    "localtime",
    "right/UTC",
    "Etc/GMT+99",
    "posixrules",
    "Asia/Tokyo",
    "Factory",
    "/etc/localtime",
)


def mapping(m: Mutator, count: int, folder: Path) -> None:
    """Mapping files with keys, types and words changed or bytes broken; one that is accepted reads a file, to its end."""
    table, plan = folder / "t.csv", folder / "map.toml"
    table.write_text(
        "Our No,conv,dir,ts,who\n"
        + "".join(f"+14155550142,c{n % 4},{'oi'[n % 2]},{1767225600 + n},+1206555{n:04d}\n" for n in range(6))
    )
    for _ in range(count):
        changed = m.tree(_MAPPING, [_MAPPING])
        if isinstance(changed, dict) and m.draw.random() < 0.2 and isinstance(changed.get("time"), dict):
            changed["time"]["zone"] = m.draw.choice(_ZONES)
        if isinstance(changed, dict) and m.draw.random() < 0.1 and isinstance(changed.get("file"), dict):
            changed["file"]["delimiter"] = m.draw.choice(("", "ab", "\n", '"', "\x00", " ", "é", "\r"))
        data = _toml(changed).encode("utf-8", "surrogatepass")
        if m.draw.random() < 0.2:
            data = m.bytes(data)
        elif m.draw.random() < 0.003:
            data = m.draw.choice(
                (b"x = " + b"[" * 5000, b"x = " + b"{a=" * 3000, b"x=" + b"9" * 9000, b"a." * 5000 + b"b=1")
            )
        plan.write_bytes(data)
        with suppress(LineHealthError):
            read = load_mapping(plan)
            with tempfile.TemporaryDirectory(dir=folder) as spool:
                found = read_source(
                    table, settings=Settings(), pseudonyms=Pseudonyms(KEY), mapping=read, spool=Path(spool)
                )
                assert found.read <= 7


def _toml(value: Any) -> str:
    if not isinstance(value, dict):
        return f"x = {json.dumps(value)}"
    out = []
    for name, part in value.items():
        if isinstance(part, dict):
            out.append(f"[{json.dumps(name)}]")
            out += [f"{json.dumps(k)} = {_inline(v)}" for k, v in part.items()]
        else:
            out.insert(0, f"{json.dumps(name)} = {_inline(part)}")
    return "\n".join(out)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value) if value is not None else '""'


def settings(m: Mutator, count: int, folder: Path) -> None:
    """Settings as their text: names and values changed; those in force can be used by a reader."""
    del folder
    names = {k: str(v) for k, v in vars(Settings()).items()}
    for _ in range(count):
        key = m.draw.choice(list(names))
        value = m.text(names[key]) if m.draw.random() < 0.8 else m.draw.choice((*_ZONES, *TIMES))
        with suppress(LineHealthError):
            chosen = settings_of({key if m.draw.random() < 0.95 else m.text(key): value})
            assert chosen.zone is not None
            assert chosen.quiet is None or len(chosen.quiet) == 2
            time_of("2026-09-01T12:00:00Z", chosen)


def actions(m: Mutator, count: int, folder: Path) -> None:
    """CSV files of what people did, cells and bytes mutated."""
    path, rest = folder / "actions.csv", count
    while rest > 0:
        size = min(rest, 100)
        rest -= size
        out = io.StringIO()
        write = csv.writer(out, lineterminator="\n")
        write.writerow(("line", "at", "kind", "label"))
        for n in range(size):
            cells = ["+14155550142", f"2026-09-{1 + n % 28:02d}T12:00:00Z", "slowed", f"copy {n}"]
            cells[m.draw.randrange(4)] = m.text(m.draw.choice(cells))
            write.writerow(cells if m.draw.random() < 0.95 else cells[:2])
        data = out.getvalue().encode("utf-8", "surrogatepass")
        path.write_bytes(m.bytes(data) if m.draw.random() < 0.3 else data)
        with suppress(LineHealthError):
            read_actions(path, frozenset({"+14155550142"}), Settings())


def url(m: Mutator, count: int, folder: Path) -> None:
    """Parameters of the app's addresses, through the functions that read them."""
    del folder
    hours = pl.DataFrame(schema={"hour": pl.Datetime("ms"), "health": pl.String, "replied": pl.Int64, "mature": pl.Int64} | {c: pl.Int64 for c, _ in _period.COUNTS})  # fmt: skip
    draw = m.draw
    forms = ("20260901T1200", "00010101T0000", "99991231T2359", "20260230T9999", "20260901T1200Z")
    for _ in range(count):
        low, high = (draw.choice(forms) if draw.random() < 0.6 else m.text(draw.choice(forms)) for _ in "ab")
        period = _period.addressed({"from": low, "to": high})
        if period is not None and draw.random() < 0.1:
            _period.counted_in(hours, period, before=period.start)
        text = m.text(draw.choice(("20260901T1200", "2026-09-01T12:00:00.000Z", "20260901T120000-status")))
        assert _words.find_change([], text) is None
        days, _said = _replies.asked(text if draw.random() < 0.8 else str(draw.randrange(-9, 400)))
        assert days > 0
        with suppress(LineHealthError):
            moment(m.text(draw.choice(TIMES)))


def api(m: Mutator, count: int, folder: Path) -> None:
    """Answers of the API, each mutated: pages of lines, chats, messages, audits, errors, with statuses and headers of all kinds."""
    del folder
    line = {
        "id": "1",
        "phone_number": "+14155550142",
        "reputation": {"status": "AT_RISK"},
        "health_status": {"status": "AT_RISK"},
    }
    chat = {"id": "c1", "display_name": "Ada", "is_group": False, "created_at": events.at(0), "updated_at": events.at(1), "service": "SMS",
            "handles": [{"handle": "+14155550142", "is_me": True}, {"handle": "+12065550117", "is_me": False}], "health_status": {"status": "HEALTHY", "updated_at": events.at(0)}}  # fmt: skip
    message = {"id": "m1", "chat_id": "c1", "is_from_me": True, "created_at": events.at(0), "sent_at": events.at(0), "delivery_status": "delivered",
               "from_handle": {"handle": "+14155550142"}, "parts": [{"type": "text", "value": "SECRET"}], "service": "SMS"}  # fmt: skip
    answers: list[Any] = [
        {"phone_numbers": [line, line]}, {"chats": [chat, {**chat, "id": "c2"}], "next_cursor": None}, {"messages": [message, {**message, "id": "m2"}]},
        {"audit_id": "a", "status": "pending"}, {"success": False, "error": {"code": 1, "retry_after": 0.001}},
    ]  # fmt: skip
    told = [0]
    lengths = ("0", "nan", "-5", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", "x", "")

    def answer(request: httpx.Request) -> httpx.Response:
        told[0] += 1
        status = (
            200
            if m.draw.random() < 0.9
            else m.draw.choice((204, 301, 400, 401, 403, 404, 409, 410, 418, 429, 500, 503, 599))
        )
        path = request.url.path
        own = answers[
            0
            if path.endswith("phone_numbers")
            else 1
            if path.endswith("chats")
            else 2
            if path.endswith("messages")
            else 3
        ]
        body = m.json(own if m.draw.random() < 0.9 else m.draw.choice(answers), answers)
        return httpx.Response(
            status, content=body, headers={"retry-after": m.draw.choice(lengths)} if status != 200 else {}
        )

    async def work() -> None:
        to = Connection("k", "https://api.test", rate=1e9, tries=2, backoff_s=0.0, longest_s=0.0, patience_s=0.001, transport=httpx.MockTransport(answer))  # fmt: skip
        rules = Rules(Settings(), Pseudonyms(KEY))
        async with Client(to) as client:
            while told[0] < count:
                reader = Reader(client, rules)
                with suppress(LineHealthError):
                    for seen in (await reader.lines())[:3]:
                        listed = await reader.chats(seen)
                        for one in listed.chats[:3]:
                            got = await reader.messages(one)
                            rows = sum(f.messages.height + f.refused.height for f in got.facts)
                            assert rows == got.read, "a listed message was lost, or counted twice"
                with suppress(LineHealthError):
                    await ask_audit(client, "+14155550142")
                with suppress(LineHealthError):
                    await look_at_audit(client, "+14155550142", "a")

    asyncio.run(work())


def receiver(m: Mutator, count: int, folder: Path) -> None:
    """Requests to the receiver: bodies mutated and signed, headers mutated, methods and paths; never a 5xx, and what is taken can be read back."""
    one = made(folder / "fuzz.duckdb")
    known = seeds()
    keeper, rows = Keeper(Pseudonyms(KEY)), Rows()
    over_http = max(1, count // 20)

    async def work(client: httpx.AsyncClient) -> None:
        for n in range(over_http):
            _, good = delivery(n)
            body = m.json(json.loads(good), known) if m.draw.random() < 0.8 else m.draw.randbytes(m.draw.randrange(200))
            headers = signed(f"d{n}", body)
            if m.draw.random() < 0.4:
                name = m.draw.choice(
                    [*headers, "content-type", "content-length", "x-webhook-signature", "x-webhook-timestamp"]
                )
                value = m.draw.choice(
                    (
                        *TEXTS[:1],
                        "v1,",
                        "v1," + "A" * 44,
                        "9" * 30,
                        "-1",
                        "é",
                        "text/html",
                        "application/json; charset=x",
                        "1e9",
                    )
                )
                headers[name] = value
            method = "POST" if m.draw.random() < 0.95 else m.draw.choice(("GET", "PUT", "TRACE"))
            path = (
                PATH
                if m.draw.random() < 0.95
                else m.draw.choice(("/", "/webhooks/linq/../x", "/%00", "/healthz", "/metrics"))
            )
            got = await client.request(method, path, headers=[(k.encode(), v.encode("latin-1", "replace")) for k, v in headers.items()], content=body)  # fmt: skip
            assert got.status_code < 500, f"{got.status_code} {got.text[:200]}"

    run(one, work)
    for n in range(count - over_http):
        body = m.json(m.draw.choice(known), known)
        line, outcome = keeper.keep(body, time.time_ns() // 1_000_000)
        assert outcome in ("used", "ignored", "quarantined")
        assert b"\n" not in line
        read_kept(line, n + 1, rows)
    rules = Rules(Settings(), Pseudonyms(KEY))
    rows.facts(rules)


def spool(m: Mutator, count: int, folder: Path) -> None:
    """Lines of the spool that a disk has damaged: read, or refused as damaged."""
    del folder
    keeper, known, rows = Keeper(Pseudonyms(KEY)), seeds(), Rows()
    for n in range(count):
        line, _ = keeper.keep(json.dumps(m.draw.choice(known)).encode(), 1_767_225_600_000)
        with suppress(ValueError):
            read_kept(m.bytes(line), n + 1, rows)
    rows.facts(Rules(Settings(), Pseudonyms(KEY)))


READERS: dict[str, tuple[Batch, float, int]] = {
    "webhook": (webhook, 0.30, 5000),
    "csv": (tables_csv, 0.18, 5000),
    "parquet": (tables_parquet, 0.14, 4000),
    "receiver": (receiver, 0.14, 2500),
    "api": (api, 0.06, 1000),
    "url": (url, 0.06, 2500),
    "mapping": (mapping, 0.01, 500),
    "settings": (settings, 0.05, 2500),
    "actions": (actions, 0.03, 2000),
    "spool": (spool, 0.03, 2500),
}
"""By name: what tries a batch, its share of all inputs, and the inputs of one batch."""
