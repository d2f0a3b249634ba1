"""Messages that could not be delivered, as owner-only files beside the store, until a later run delivers them. No address is in them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analysis.errors import StoreError


@dataclass(frozen=True)
class Message:
    """What is delivered."""

    name: str
    """A word of its own, also the file's name where it goes into a folder."""
    title: str
    body: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Attachments by name."""


@dataclass(frozen=True)
class Entry:
    """One message that waits for one target."""

    target: str
    """The target's key."""
    kind: str
    message: Message


@dataclass(frozen=True)
class Outbox:
    """A folder of waiting messages."""

    folder: Path

    @classmethod
    def beside(cls, store: Path) -> Outbox:
        """Return the outbox of a store."""
        return cls(store.with_name(f"{store.name}.outbox"))

    def add(self, entry: Entry) -> None:
        """Keep a message; the same one twice is kept once. Raises StoreError where it cannot be kept."""
        m = entry.message
        files = {name: base64.b64encode(content).decode() for name, content in m.files.items()}
        told = {
            "target": entry.target,
            "kind": entry.kind,
            "name": m.name,
            "title": m.title,
            "body": m.body,
            "files": files,
        }
        path = self._path(entry)
        part = path.with_suffix(".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.touch(mode=0o600)
            part.write_text(json.dumps(told), encoding="utf-8")
            part.replace(path)
        except OSError as e:
            raise StoreError(
                f"a message that was not delivered cannot be kept ({e.strerror})",
                where=str(self.folder),
                fix="free disk space or correct the rights, and send again",
            ) from None

    def entries(self) -> list[Entry]:
        """Return what waits, oldest first; a file that is no message is left alone."""
        found = []
        for path in sorted(self.folder.glob("*.json"), key=lambda p: (p.stat().st_mtime, p.name)):
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                files = {name: base64.b64decode(content) for name, content in told["files"].items()}
                found.append(
                    Entry(told["target"], told["kind"], Message(told["name"], told["title"], told["body"], files))
                )
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return found

    def remove(self, entry: Entry) -> None:
        """Forget a message that was delivered."""
        self._path(entry).unlink(missing_ok=True)

    def _path(self, entry: Entry) -> Path:
        m = entry.message
        said = json.dumps([entry.target, m.name, m.title, m.body, sorted(m.files)])
        return self.folder / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"
