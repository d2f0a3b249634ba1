"""The lives of a fleet in, files out: logged deliveries, tables, and the planted truth, in bytes that depend on the arguments only."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from analysis.schema import INSTANT
from analysis.simulate.causes import Plan, plans
from analysis.simulate.fleet import live
from analysis.simulate.records import Life
from analysis.simulate.rhythm import DAY, HOUR, identifier, iso
from analysis.simulate.webhooks import PHRASES, Log, broken, deliveries

_BATCH_LINES = 24
_MESSAGES = pl.Schema(
    {
        "message_id": pl.String, "line": pl.String, "chat_id": pl.String, "recipient": pl.String, "direction": pl.String,
        "sent_at": INSTANT, "delivered_at": INSTANT, "read_at": INSTANT, "failed_at": INSTANT, "failure_code": pl.String,
        "service": pl.String, "is_group": pl.Boolean,
    }
)  # fmt: skip
_CHATS = ("chat_id", "line", "recipient", "is_group", "created_at", "health", "health_updated_at")
_CHANGES = ("line", "changed_at", "previous_health", "new_health", "previous_status", "new_status")
_SEVERITY = {"HEALTHY": 0, "AT_RISK": 1, "CRITICAL": 2, "ACTIVE": 0, "FLAGGED": 1}


class Export:
    """One fleet on its way into one directory."""

    def __init__(self, directory: Path, *, lines: int, days: int, seed: int, end: int) -> None:
        self.directory, self.seed, self.end = directory, seed, end
        self.start = end - days * DAY
        self.plans = plans(lines, start=self.start, end=end, seed=seed)
        pieces = 4 if days >= 12 else 2
        self.cuts = [self.start + (end - self.start) * n // pieces for n in range(pieces)]
        self.truth: dict[str, Any] = {
            "seed": seed, "start": iso(self.start), "end": iso(end), "lines": [], "transitions": [], "bursts": [],
            "malformed": {"count": 0, "by_class": {}, "rows": []}, "counts": {}, "deliveries": Counter(),
            "phrases": list(PHRASES), "files": [],
        }  # fmt: skip
        self.messages: list[pl.DataFrame] = []
        self.chats: list[tuple[object, ...]] = []
        self.changes: list[tuple[object, ...]] = []

    def write(self) -> dict[str, Any]:
        """Write every file and return the truth."""
        batches = [self.plans[i : i + _BATCH_LINES] for i in range(0, len(self.plans), _BATCH_LINES)]
        for number, batch in enumerate(batches):
            log = Log()
            for plan in batch:
                life = live(plan, end=self.end, seed=self.seed)
                self._tell(life)
                self._tables(life)
                if plan.source != "tables":
                    since = self._webhooks_from(plan)
                    deliveries(life, random.Random(f"{self.seed}/log/{plan.line}"), since=since, end=self.end, log=log)
            self.truth["deliveries"].update(log.odd)
            self._logs(log, f"{number:03d}-" if len(batches) > 1 else "", batch[0] if number == 0 else None)
        self._write_tables()
        return self._write_truth()

    def _webhooks_from(self, plan: Plan) -> int:
        return self.start + int(0.35 * (self.end - self.start)) if plan.source == "both" else self.start

    def _tables_until(self, plan: Plan) -> int:
        return self.start + int(0.6 * (self.end - self.start)) if plan.source == "both" else self.end

    # truth

    def _tell(self, life: Life) -> None:
        plan, truth = life.plan, self.truth
        truth["lines"].append(
            {
                "line": plan.line, "story": plan.story, "source": plan.source, "timezone": plan.zone,
                "first_at": iso(life.messages[0].at) if life.messages else None, "healthy_busy": plan.healthy_busy,
            }
        )  # fmt: skip
        for change in life.changes:
            episode, worse = change.episode, _SEVERITY[change.new] > _SEVERITY[change.previous]
            onset = None if episode is None or episode.kind == "spontaneous" else episode.onset
            if onset is not None and not worse and episode is not None:
                onset = min(episode.stop, change.at)
            truth["transitions"].append(
                {
                    "line": plan.line, "at": iso(change.at), "kind": change.kind, "previous": change.previous, "new": change.new,
                    "worsening": worse, "planted_driver": episode.driver if episode else "unexplained",
                    "onset": None if onset is None else iso(onset), "story": plan.story,
                }
            )  # fmt: skip
        truth["bursts"] += [
            {"line": plan.line, "kind": b.kind, "start": iso(b.start), "end": iso(b.end), "count": b.count}
            for b in life.bursts
        ]
        outbound = sum(m.outbound for m in life.messages)
        truth["counts"][plan.line] = {
            "messages": len(life.messages), "outbound": outbound, "inbound": len(life.messages) - outbound
        }  # fmt: skip

    def _malformed(self, file: str, row: int, kind: str) -> None:
        told = self.truth["malformed"]
        told["count"] += 1
        told["by_class"][kind] = told["by_class"].get(kind, 0) + 1
        told["rows"].append({"file": file, "row": row, "class": kind})

    # deliveries

    def _logs(self, log: Log, prefix: str, spoiled: Plan | None) -> None:
        marks: dict[int, str] = {}
        if spoiled is not None:
            rng = random.Random(f"{self.seed}/broken")
            for kind, text in broken(spoiled, rng, self.end - DAY):
                marks[len(log.rows)] = kind
                log.rows.append((rng.randrange(self.start, self.end), len(log.rows), text))
        log.rows.sort(key=lambda r: r[:2])
        bounds = [*self.cuts[1:], self.end + DAY]
        first = 0
        for piece, (cut, bound) in enumerate(zip(self.cuts, bounds, strict=True)):
            last = first
            while last < len(log.rows) and log.rows[last][0] < bound:
                last += 1
            packed = piece + 1 < len(self.cuts)  # as rotated logs are
            name = f"webhooks-{prefix}{iso(cut)[:10]}.jsonl" + (".gz" if packed else "")
            part = log.rows[first:last]
            for row, (_, order, _) in enumerate(part, start=1):
                if order in marks:
                    self._malformed(name, row, marks[order])
            self._save(name, "".join(f"{text}\n" for _, _, text in part).encode())
            self.truth["deliveries"]["lines"] += len(part)
            first = last

    def _save(self, name: str, content: bytes) -> None:
        self.truth["files"].append(name)
        if name.endswith(".gz"):
            packed = io.BytesIO()
            with gzip.GzipFile("", "wb", 6, packed, mtime=0) as stream:
                stream.write(content)
            content = packed.getvalue()
        (self.directory / name).write_bytes(content)

    # tables

    def _tables(self, life: Life) -> None:
        plan, until = life.plan, self._tables_until(life.plan)
        if plan.source == "webhooks":
            return
        rows = [
            (
                m.message_id, plan.line, m.chat.chat_id, None if m.chat.is_group else m.chat.people[0],
                "outbound" if m.outbound else "inbound", m.at, m.delivered, m.read, m.failed,
                None if m.code is None else str(m.code), m.chat.service, m.chat.is_group,
            )
            for m in life.messages
            if m.at < until
        ]  # fmt: skip
        plain = pl.Schema({c: pl.Int64 if dtype == INSTANT else dtype for c, dtype in _MESSAGES.items()})
        self.messages.append(pl.DataFrame(rows, schema=plain, orient="row").cast(_MESSAGES))
        for c in life.chats:
            if c.created < until:
                since, word = [h for h in c.health if h[0] < until][-1]
                person = "" if c.is_group else c.people[0]
                group = "true" if c.is_group else "false"
                self.chats.append((c.chat_id, plan.line, person, group, iso(c.created), word, iso(since)))
        if plan.healthy_busy:  # the vendor may repeat a state: the only word there is on a line that never changes
            known = iso(plan.start + 2 * DAY + 9 * HOUR)
            self.changes.append((plan.line, known, "HEALTHY", "HEALTHY", "ACTIVE", "ACTIVE"))
        for at in dict.fromkeys(c.at for c in life.changes if c.at < until):
            change = next(c for c in life.changes if c.at == at)
            self.changes.append((plan.line, iso(at), *change.health, *change.status))

    def _write_tables(self) -> None:
        if not self.messages:
            return
        line, at = self.plans[0].line, iso(self.end - DAY)
        lost = identifier(random.Random(f"{self.seed}/lost"))
        spoiled = pl.DataFrame(
            {"message_id": [lost], "line": [line], "chat_id": [lost], "sent_at": [self.end - DAY]},
            schema={"message_id": pl.String, "line": pl.String, "chat_id": pl.String, "sent_at": pl.Int64},
        ).cast({"sent_at": INSTANT})
        messages = pl.concat([*self.messages, spoiled], how="diagonal").sort("line", "sent_at", "message_id")
        where = int(messages.select((pl.col("message_id") == lost).arg_true()).item())
        self._malformed("messages.parquet", where + 1, "no direction")
        content = io.BytesIO()
        messages.write_parquet(content, compression="zstd")
        self._save("messages.parquet", content.getvalue())
        self._save("chats.csv", _csv(_CHATS, sorted(self.chats, key=lambda r: (r[1], r[4], r[0]))))
        changes = sorted(self.changes, key=lambda r: (r[1], r[0]))
        changes.append((line, at, "HEALTHY", "POOR", "ACTIVE", "ACTIVE"))
        changes.append((line, at, "HEALTHY"))
        self._malformed("transitions.csv", len(changes), "unknown health")
        self._malformed("transitions.csv", len(changes) + 1, "too few cells")
        self._save("transitions.csv", _csv(_CHANGES, changes))

    def _write_truth(self) -> dict[str, Any]:
        truth = self.truth
        truth["transitions"].sort(key=lambda t: (t["at"], t["line"], t["kind"]))
        truth["bursts"].sort(key=lambda b: (b["start"], b["line"]))
        truth["deliveries"] = dict(sorted(truth["deliveries"].items()))
        self._save("truth.json", (json.dumps(truth, indent=1) + "\n").encode())
        return truth


def _csv(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def earlier_files(directory: Path) -> Iterator[Path]:
    """Return the files that an earlier fleet left in this directory, by the list in its truth.json."""
    try:
        told = json.loads((directory / "truth.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name in told:
        if isinstance(name, str) and name == Path(name).name and (directory / name).is_file():
            yield directory / name
