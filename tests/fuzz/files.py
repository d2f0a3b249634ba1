"""Files and lines beside what makes mutated ones of them and what must hold afterwards: exports, mappings, settings, actions, the spool."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from analysis import pipeline
from analysis.errors import LineHealthError
from analysis.pipeline import writing
from analysis.pipeline.opened import settings_of
from analysis.settings import Settings
from analysis.sources import Pseudonyms, load_mapping, read_actions, read_source, time_of
from analysis.sources.checks import Rules
from analysis.sources.delivered import Keeper, read_kept
from analysis.sources.rows import Rows
from tests import events
from tests.fuzz.mutate import TIMES, Mutator

KEY = b"a key that only the fuzzing uses"
SHARED = Path(__file__).resolve().parents[3] / "shared"


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


def spool(m: Mutator, count: int, folder: Path) -> None:
    """Lines of the spool that a disk has damaged: read, or refused as damaged."""
    del folder
    keeper, known, rows = Keeper(Pseudonyms(KEY)), seeds(), Rows()
    for n in range(count):
        line, _ = keeper.keep(json.dumps(m.draw.choice(known)).encode(), 1_767_225_600_000)
        with suppress(ValueError):
            read_kept(m.bytes(line), n + 1, rows)
    rows.facts(Rules(Settings(), Pseudonyms(KEY)))
