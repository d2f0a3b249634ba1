"""Commands in, their processes kept running together out: one that ends is started again; a signal stops all, in order, and waits."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

QUICK_S, TRIES, LONGEST_S = 10.0, 5, 30.0
"""A process that ends so soon after its start, so many times in a row, cannot run: all stop. Between starts at most so long."""
GRACE_S = 20.0
"""How long a process may take to stop before it is killed."""
API_KEY = "LINQ_API_V3_API_KEY"
"""The folding may ask the vendor for an audit after a fall (a setting, off by default)."""
SECRET_NAMES = ("LINQ_WEBHOOK_SECRET", API_KEY)


@dataclass
class Part:
    """One process of the group: what it is for people, its words, and the secrets that it needs."""

    name: str
    words: list[str]
    secrets: tuple[str, ...] = ()
    folder: Path | None = None
    grace_s: float = GRACE_S
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        """Start it, in this process's group, without the secrets of others; Ctrl-C does not reach it: who started it stops it in order."""
        hidden = set(SECRET_NAMES) - set(self.secrets)
        with _without_interrupts():
            self.running = subprocess.Popen(
                self.words,
                env={k: v for k, v in os.environ.items() if k not in hidden},
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )
        self.started = time.monotonic()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT in this thread: what is started meanwhile has it blocked from its first instant on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass
class Stopping:
    """Whether somebody asked to stop; signals set it."""

    event: threading.Event = field(default_factory=threading.Event)

    def __call__(self, seconds: float = 0.0) -> bool:
        """Wait so long at most; return whether to stop."""
        return self.event.wait(seconds)


@contextlib.contextmanager
def stopping(*numbers: int) -> Iterator[Stopping]:
    """Yield what signals (SIGTERM and SIGINT where none is named) set, instead of ending the process."""
    told = Stopping()
    before = {n: signal.signal(n, lambda *_: told.event.set()) for n in numbers or (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)


def run_together(
    parts: list[Part], *, stopped: Callable[[float], bool], say: Callable[[str], None], give_up: bool = True
) -> int:
    """Run parts until told to stop; returns 0, or 1 where one of them cannot run.

    A part that ends is started again after a pause that doubles up to LONGEST_S: the receiver must not stop because a page failed.
    Where one ends within QUICK_S of its start TRIES times in a row, all stop with a sentence (``give_up``). Parts are stopped in their
    order.
    """
    for part in parts:
        part.start()
    code = 0
    while not stopped(0.2):
        for part in parts:
            code = _look_after(part, say, give_up)
            if code:
                break
        if code:
            break
    for part in parts:
        _stop(part, say)
    return code


def _look_after(part: Part, say: Callable[[str], None], give_up: bool) -> int:
    now = time.monotonic()
    if part.running is None:
        if now >= part.again_at:
            part.start()
        return 0
    ended = part.running.poll()
    if ended is None:
        return 0
    part.quick = part.quick + 1 if now - part.started < QUICK_S else 0
    part.running = None
    if part.quick >= TRIES and give_up:
        say(
            f"{part.name} ended {TRIES} times right after its start (exit code {ended}): all stop; see what it said above"
        )
        return 1
    pause = min(LONGEST_S, 2.0 ** max(0, part.quick - 1))
    part.again_at = now + pause
    say(f"{part.name} ended (exit code {ended}); it is started again in {pause:.0f} s")
    return 0


def _stop(part: Part, say: Callable[[str], None]) -> None:
    process, part.running = part.running, None
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(part.grace_s)
    except subprocess.TimeoutExpired:
        say(f"{part.name} did not stop in {part.grace_s:.0f} s and was killed; what it acknowledged is on the disk")
        process.kill()
        process.wait()


def own_command(*words: str) -> list[str]:
    """Return the words that run a command of this program with this Python."""
    return [sys.executable, "-m", "analysis", *words]
