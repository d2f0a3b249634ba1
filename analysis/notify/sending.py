"""Messages and targets in; each delivered, or tried again with growing pauses and kept in the outbox, out."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from analysis.notify.outbox import Entry, Message, Outbox
from analysis.notify.service import delivered
from analysis.notify.targets import FOLDER, Target

WAITS_S = (2.0, 8.0, 30.0)
"""Pauses before the second, third and last try of one delivery; what fails then is left to the next run."""


@dataclass
class Sent:
    """What became of the messages of one run."""

    delivered: list[tuple[Message, Target]] = field(default_factory=list)
    failed: list[tuple[Message, Target]] = field(default_factory=list)
    orphans: int = 0
    """Kept messages whose target is not configured any more."""

    @property
    def taken(self) -> set[str]:
        """Names of messages that at least one target took."""
        return {m.name for m, _ in self.delivered}

    @property
    def complaint(self) -> str:
        """What was not delivered and by which kinds of service; empty where all was."""
        kinds = sorted({t.kind for _, t in self.failed})
        n = len(self.failed)
        told = [f"{n} {'delivery' if n == 1 else 'deliveries'} failed ({', '.join(kinds)})"] if n else []
        if self.orphans:
            told.append(f"{self.orphans} kept for an address that is not configured any more")
        return "; ".join(told)


def send(messages: Iterable[Message], targets: list[Target], *, sleep: Callable[[float], object] = time.sleep) -> Sent:
    """Deliver each message to each target; a target that failed in this run is not waited for again.

    Args:
        messages: what to deliver.
        targets: where to.
        sleep: waits between tries.
    """
    sent, down = Sent(), set[str]()
    for message in messages:
        for target in targets:
            waits = () if target.key in down else WAITS_S
            if _tried(message, target, waits, sleep):
                sent.delivered.append((message, target))
            else:
                down.add(target.key)
                sent.failed.append((message, target))
    return sent


def flush(outbox: Outbox, targets: list[Target], *, sleep: Callable[[float], object] = time.sleep) -> Sent:
    """Deliver what earlier runs could not, oldest first; what arrives leaves the outbox, what fails stays."""
    known = {t.key: t for t in targets}
    sent, down = Sent(), set[str]()
    for entry in outbox.entries():
        target = known.get(entry.target)
        if target is None:
            sent.orphans += 1
            continue
        if _tried(entry.message, target, () if target.key in down else WAITS_S, sleep):
            sent.delivered.append((entry.message, target))
            outbox.remove(entry)
        else:
            down.add(target.key)
            sent.failed.append((entry.message, target))
    return sent


def keep(outbox: Outbox, failed: list[tuple[Message, Target]]) -> None:
    """Keep deliveries that failed for the next run."""
    for message, target in failed:
        outbox.add(Entry(target.key, target.kind, message))


def _tried(message: Message, target: Target, waits: tuple[float, ...], sleep: Callable[[float], object]) -> bool:
    if _once(message, target):
        return True
    for pause in waits:
        sleep(pause)
        if _once(message, target):
            return True
    return False


def _once(message: Message, target: Target) -> bool:
    if target.kind == FOLDER:
        return _into_folder(message, Path(target.address))
    with tempfile.TemporaryDirectory(prefix="linehealth-") as scratch:
        files = []
        for name, content in message.files.items():
            file = Path(scratch) / name
            file.write_bytes(content)
            files.append(file)
        return delivered(target.address, title=message.title, body=message.body, files=files)


def _into_folder(message: Message, folder: Path) -> bool:
    """Write the files of a message, or its text where it has none; each appears whole or not at all."""
    contents = message.files or {f"{message.name}.txt": f"{message.title}\n\n{message.body}\n".encode()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            part = folder / f".{name}.part"
            try:
                part.write_bytes(content)
                part.replace(folder / name)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
    except OSError:
        return False
    return True
