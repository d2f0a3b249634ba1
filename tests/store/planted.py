"""Thousands of secrets put into everything the product reads, and a search for them, plain or in disguise, in everything it leaves.

Each kind of secret carries a mark that nothing else has, so that one search finds all of them, also glued into longer words; their
unkeyed hashes and base64 forms are looked up one by one.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from tests import events

LINE = events.LINE
PEOPLE = 1500
MARKS = ("206777", "zqsecret", "leak.example", "zqname")


def phone(n: int) -> str:
    return f"+1206777{n:04d}"


def mail(n: int) -> str:
    return f"Person{n}@Leak.example"


def name(n: int) -> str:
    return f"Zqname{n} Quill"


def text(n: int) -> str:
    return f"your zqsecret{n} parcel waits"


def secrets() -> list[str]:
    """Every planted secret, as written and in the spellings a program may make of it."""
    out: list[str] = []
    for n in range(PEOPLE):
        out += [
            phone(n),
            phone(n)[1:],
            phone(n)[2:],
            mail(n),
            mail(n).lower(),
            name(n),
            name(n).lower(),
            text(n),
            f"zqsecret{n}",
        ]
    return out


class Search:
    """Finds planted secrets in bytes."""

    def __init__(self) -> None:
        words = secrets()
        self.hashes = {
            h(w.encode()).hexdigest().encode(): w for w in words for h in (hashlib.md5, hashlib.sha1, hashlib.sha256)
        }
        self.hashes |= {
            base64.b64encode(h(w.encode()).digest()): w for w in words for h in (hashlib.md5, hashlib.sha256)
        }
        inner = set()
        for mark in {*MARKS, "+1206777", "Leak.example", "Zqname"}:
            for shift in range(3):  # base64 of a text depends on where in it the mark stands
                coded = base64.b64encode(b"\x00" * shift + mark.encode())
                inner.add(coded[4 if shift else 0 : (shift + len(mark)) // 3 * 4])
        self.plain = [(mark.encode(), re.compile(mark.encode(), re.IGNORECASE)) for mark in MARKS]
        self.coded = [(i, re.compile(re.escape(i))) for i in inner if len(i) >= 4 * 2]
        self.looked = 0

    def found(self, data: bytes | str) -> list[str]:
        """Return what was found, with what stands around it."""
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
        self.looked += len(raw)
        small = raw.lower()
        there = [p for mark, p in self.plain if mark in small] + [p for word, p in self.coded if word in raw]
        hits = [
            raw[max(0, m.start() - 30) : m.end() + 30].decode("utf-8", "replace")
            for p in there
            for m in p.finditer(raw)
        ]
        hits += [
            f"a hash of {self.hashes[w]}"
            for w in set(re.findall(rb"[0-9a-f]{32,64}|[A-Za-z0-9+/]{22,44}={0,2}", raw))
            if w in self.hashes
        ]
        return hits


def _message(n: int, **more: Any) -> dict:
    kind = ("message.sent", "message.received", "message.delivered")[n % 3]
    who = mail(n) if n % 5 == 0 else phone(n)
    chat = f"{LINE};-;{phone(n)}" if n % 7 == 0 else f"chat-{n % 200}"
    row = events.message(kind, f"m{n}" if n % 11 else f"msg-{phone(n)}", n % 500, chat=chat, person=who, **more)
    row["data"]["parts"] = [
        {"type": "text", "value": text(n)},
        {"type": "link", "value": f"https://leak.example/zqsecret{n}"},
    ]
    row["data"]["chat"]["display_name"] = name(n)
    row["data"]["reply_to"] = {"text": text(n), "from": name(n)}
    return row


def broken(n: int) -> list[Any]:
    """Deliveries that are refused, with secrets where ids, words and times should be."""
    good = _message(n)
    bad_word, bad_time, bad_type, cut = (json.loads(json.dumps(good)) for _ in range(4))
    bad_word["data"]["direction"] = text(n)
    bad_time["data"]["sent_at"] = phone(n)
    bad_type["data"]["chat"] = text(n)
    failure = events.failed(f"f{n}", 5)
    failure["data"] |= {"code": text(n), "reason": name(n), "chat_id": f"{phone(n)};x"}
    return [
        bad_word,
        bad_time,
        bad_type,
        failure,
        {"event_type": text(n), "data": {"value": text(n)}},
        {name(n): text(n)},
        json.dumps(cut)[: -40 - n % 50],
    ]


def write_exports(folder: Path) -> list[Path]:
    """Write exports of every kind, full of secrets; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Any] = [_message(n) for n in range(PEOPLE)]
    for n in range(0, PEOPLE, 10):
        rows += broken(n)
        created = events.created(f"chat-{n % 200}", n % 400, person=phone(n))
        created["data"]["display_name"] = name(n)
        rows.append(created)
    rows += [events.changed(300, "HEALTHY", "AT_RISK"), events.changed(400, "AT_RISK", "CRITICAL")]
    log = folder / "log.jsonl.gz"
    log.write_bytes(gzip.compress("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows).encode()))
    head = "message_id,line,recipient,direction,sent_at,failure_code,service,fingerprint,text,contact_name\n"
    body = [
        f'x{n},{LINE},{mail(n) if n % 2 else phone(n)},outbound,{"2026-09-03T12:00:00Z" if n % 9 else phone(n)},{text(n)},{name(n)},{text(n)},"{text(n)}",{name(n)}\n'
        for n in range(PEOPLE)
    ]
    table = folder / "messages.csv"
    table.write_text(head + "".join(body) + f"{text(1)}\n" + f'"{text(2)}')
    frame = pl.DataFrame(
        {"chat_id": [f"{phone(n)}" if n % 2 else f"chat-{n}" for n in range(300)], "line": LINE, "recipient": [phone(n) for n in range(300)],
         "health": [text(n) if n % 5 == 0 else "AT_RISK" for n in range(300)], "note": [text(n) for n in range(300)]}
    )  # fmt: skip
    frame.write_parquet(folder / "chats.parquet")
    return [log, table, folder / "chats.parquet"]


def world(made: Any) -> Any:
    """Put secrets into every row of a made-up account of the API."""
    new: dict[str, str] = {}
    for chats in made.chats.values():
        for c in chats:
            for h in c["handles"]:
                if not h["is_me"]:
                    h["handle"] = new.setdefault(h["handle"], phone(len(new)) if len(new) % 2 else mail(len(new)))
            c["display_name"] = name(len(new))
    for rows in made.messages.values():
        for n, m in enumerate(rows):
            m["parts"] = [{"type": "text", "value": text(n)}]
            if not m["is_from_me"]:
                for key in ("from", "from_handle"):
                    if isinstance(m.get(key), dict):
                        m[key]["handle"] = new.get(m[key]["handle"], phone(n))
                    elif m.get(key):
                        m[key] = new.get(m[key], phone(n))
    return made


def audit() -> dict[str, Any]:
    """An answer of the vendor's audit with free text about people at every place of it."""
    return {
        "audit_id": f"audit of {phone(3)}", "status": "complete", "phone": LINE, "generated_at": "2026-09-20T12:00:00Z", "message": text(1),
        "report": {
            "severity": "AT_RISK", "primary_driver": {"key": text(2), "label": text(3)}, "summary": text(4),
            "drivers": [{"key": text(5), "label": name(5), "detail": text(6)}, {"key": "volume_spike", "detail": text(7)}],
            "action_items": [{"priority": 1, "title": text(8), "detail": name(8), "expected_impact": text(9)}],
            "evidence": {"unhealthy_chats": [{"chat_id": f"{phone(9)};z", "contact": name(9), "last_message": text(10), "reason": text(11)}],
                         "opt_out_chats": [{"chat_id": "chat-5", "text": text(12), "health": text(13)}]},
        },
    }  # fmt: skip
