"""A store in, writers beside its readers out: files loaded one after the other, deliveries received and folded; and every state it had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from analysis import pipeline
from analysis.bench.deliveries import delivery, post, request
from analysis.bench.receive import port_of, start
from analysis.pages import _words as words
from analysis.schema import Explanation


@dataclass
class Written:
    """What was written beside the viewers, and the states that they may have seen."""

    loads: int = 0
    acknowledged: int = 0
    refused: int = 0
    states: list[list[Explanation]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    writes: int = 0
    """How often the store was replaced."""


@contextlib.contextmanager
def writers(store: Path, *, load_every_s: float, deliveries_a_s: float) -> Iterator[Written]:
    """Load a small file every so often and post deliveries at a pace (0: none of these) until the block ends."""
    told, over = Written(), threading.Event()
    jobs = [threading.Thread(target=_watch, args=(store, told, over))]
    receiver = start(store, folding=True, group=True) if deliveries_a_s else None
    if receiver is not None:
        jobs.append(threading.Thread(target=_post, args=(port_of(receiver), deliveries_a_s, told, over)))
    if load_every_s:
        jobs.append(threading.Thread(target=_load, args=(store, load_every_s, told, over)))
    for job in jobs:
        job.start()
    try:
        yield told
    finally:
        over.set()
        for job in jobs:
            job.join()
        if receiver is not None:
            receiver.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                receiver.wait(90)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(receiver.pid, signal.SIGKILL)
            receiver.wait()
            receiver.stdout.close()


def _watch(store: Path, told: Written, over: threading.Event) -> None:
    last = ""
    while True:
        done = over.is_set()
        if (now := pipeline.snapshot(store)) != last:
            try:
                told.states.append(pipeline.explanations(store))
            except Exception as fault:  # a thread has nobody else to tell
                told.wrong.append(f"{type(fault).__name__}: {fault}")
            told.writes += bool(last)
            last = now
        if done:
            return
        over.wait(0.1)


def _post(port: int, pace: float, told: Written, over: threading.Event) -> None:
    def work():
        number = 0
        while not over.is_set():
            yield number, request(*delivery(number, run="viewers"))
            number += 1

    answers = asyncio.run(post(port, work(), connections=2, pause_s=2 / pace))
    told.acknowledged, told.refused = len(answers.acknowledged), answers.cut + sum(
        n for code, n in answers.codes.items() if code >= 300
    )  # fmt: skip


def _load(store: Path, every: float, told: Written, over: threading.Event) -> None:
    line = pipeline.lines(store)["line"][0]
    at = words.instant(pipeline.status(store)["as_of"])
    while not over.wait(every):
        told.loads += 1
        path = store.parent / f"later-{told.loads}.csv"
        when = at + timedelta(minutes=told.loads)
        row = f"later-{told.loads},{line},later,inbound,{when:%Y-%m-%dT%H:%M:%SZ}"
        path.write_text(f"message_id,line,chat_id,direction,sent_at\n{row}\n")
        call = [sys.executable, "-m", "analysis", "load", str(path), "--store", str(store)]
        ended = subprocess.run(call, capture_output=True, text=True)
        if ended.returncode:
            told.wrong.append(f"load: {ended.stderr.strip()}")
