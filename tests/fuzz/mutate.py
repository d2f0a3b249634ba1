"""Real inputs in, broken ones out: mutations that know what a JSON tree, a table's cell, an address or a block of bytes is."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

DEEP = 3000
TEXTS = (
    "", " ", "\x00", "a\x00b", "\ufffd", "\ud800", "\udfff\ud800", "\U0001f4a5" * 40, "é" * 401, "x" * 500, "x" * 20_000, "null", "None", "NaN",
    "true", "-", "0", "-1", "1e309", "9" * 400, "+", "+1", "+14155550142", "tel:+1 (206) 555-0117", "ada@example.com", "'; drop table message; --",
    '"><script>alert(1)</script>', "=cmd()", "../../etc/passwd", "{}", "[]", "%s%n", "\u202eabc", "\r\n", "\u2028", "AT_RISK", "at risk", "OPTED_OUT",
    "outbound", "OUT", "p_00000000000000000000",
)  # fmt: skip
TIMES = (
    "2026-02-30T00:00:00Z", "2026-09-01", "2026-09-01T24:00:00Z", "2026-09-01T23:59:60Z", "0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z", "2026-09-01T12:00:00+99:99", "2026-09-01T12:00:00.1234567890123Z", "2026-09-01 12:00", "1767225600",
    "1767225600000", "99999999999999999999", "-1", "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "2026-09-01T12:00:00-00:00", "٢٠٢٦-٠٩-٠١",
    "2026-09-01t12:00:00z", "2026-W01-1", "12/31/2026", "2026-03-29T02:30:00", "2026-09-01T12:00:00Z[Europe/Berlin]",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308, 5e-324, True, False, None,
)  # fmt: skip


class Mutator:
    """Draws mutations from one seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def scalar(self) -> Any:
        """A value that is likely to be wrong."""
        kind = self.draw.random()
        if kind < 0.45:
            return self.draw.choice(TEXTS)
        if kind < 0.75:
            return self.draw.choice(TIMES)
        return self.draw.choice(NUMBERS)

    def value(self, old: Any) -> Any:
        """Something in place of a value of a tree: of another type, out of range, deeper, cut, or longer."""
        draw = self.draw
        kind = draw.randrange(12)
        if kind < 6:
            return self.scalar()
        if kind == 6:
            return [old] * draw.choice((0, 1, 2, 50))
        if kind == 7:
            return {draw.choice(("id", "handle", "status", "data", "", "\x00")): old}
        if kind == 8 and draw.random() < 0.02:
            deep: Any = old
            for _ in range(draw.choice((10, 100, DEEP // 10))):
                deep = [deep] if draw.random() < 0.5 else {"data": deep}
            return deep
        if isinstance(old, str):
            place = draw.randint(0, len(old))
            return draw.choice((old[:place], old[place:], old.upper(), old * 2, f" {old}\t", old[:place] + draw.choice(TEXTS[:8]) + old[place:]))  # fmt: skip
        if isinstance(old, bool):
            return not old
        if isinstance(old, int | float):
            return draw.choice((-old, old * 10**9, str(old), [old]))
        return None

    def tree(self, record: Any, others: list[Any]) -> Any:
        """A record with one to four of its nodes changed, dropped, renamed, doubled or taken from another record."""
        changed = copy.deepcopy(record)
        for _ in range(self.draw.choice((1, 1, 1, 2, 2, 4))):
            node, key = self._node(changed)
            if node is None:
                return self.scalar()
            kind = self.draw.randrange(8)
            if kind < 4:
                node[key] = self.value(node[key])
            elif kind == 4:
                del node[key]
            elif kind == 5 and isinstance(node, dict):
                node[self.draw.choice((str(key).upper(), f"{key}_", "body", "payload", "data", "event_type", "\ud800"))] = node.pop(key)  # fmt: skip
            elif kind == 6:
                other, place = self._node(self.draw.choice(others))
                if other is not None:
                    node[key] = copy.deepcopy(other[place])
            elif isinstance(node, dict):
                node[f"more_{self.draw.randrange(10)}"] = self.scalar()
        return changed

    def _node(self, tree: Any) -> tuple[Any, Any]:
        node, key = None, None
        while isinstance(tree, dict | list) and tree:
            node, key = tree, (self.draw.choice(list(tree)) if isinstance(tree, dict) else self.draw.randrange(len(tree)))  # fmt: skip
            if self.draw.random() < 0.3:
                break
            tree = node[key]
        return node, key

    def json(self, record: Any, others: list[Any]) -> bytes:
        """One line of JSON, or of what was JSON before."""
        data = json.dumps(self.tree(record, others), ensure_ascii=self.draw.random() < 0.9).encode(
            "utf-8", "surrogatepass"
        )
        if self.draw.random() < 0.15:
            data = self.bytes(data)
        elif self.draw.random() < 0.01:
            kind = self.draw.randrange(4)
            n = self.draw.choice((20, 200, DEEP))
            data = (b"[" * n, b'{"data":' * n + b"1" + b"}" * n, b'{"body":' * n + data + b"}" * n, b'{"payload":' * (n // 10) + data + b"}" * (n // 10))[kind]  # fmt: skip
        return data

    def bytes(self, data: bytes) -> bytes:
        """Bytes cut, flipped, doubled, or with others put in between."""
        if not data:
            return bytes([self.draw.randrange(256)])
        place = self.draw.randrange(len(data))
        kind = self.draw.randrange(6)
        if kind == 0:
            return data[:place]
        if kind == 1:
            return data[:place] + bytes([data[place] ^ (1 << self.draw.randrange(8))]) + data[place + 1 :]
        if kind == 2:
            junk = self.draw.choice(
                (b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b'"', b",", b"\n", b"\xef\xbb\xbf", b"\\", b"]" * 9)
            )
            return data[:place] + junk + data[place:]
        if kind == 3:
            end = min(len(data), place + self.draw.randrange(1, 60))
            return data[:place] + data[place:end] * self.draw.choice((0, 2, 3)) + data[end:]
        if kind == 4:
            end = min(len(data), place + self.draw.randrange(1, 16))
            return data[:place] + self.draw.randbytes(end - place) + data[end:]
        return data[place:] + data[:place]

    def text(self, old: str) -> str:
        """A cell, a parameter or a word in place of another."""
        new = self.value(old)
        return (
            new if isinstance(new, str) else json.dumps(new)[:5000] if self.draw.random() < 0.5 else str(self.scalar())
        )
