"""A store's bytes are flipped, overwritten or cut at random, and it is rebuilt: python -m tests.breaking.damage --times 100.

Either nothing that is used was hit, or the damage is said in one sentence, nothing is changed, and `rebuild` gives the store as it was.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from analysis import pipeline
from analysis.errors import StoreError
from analysis.store import salvage
from tests.breaking.kills import differing, made, state

HURTS = ("flip", "flips", "zeros", "head", "cut", "empty")


def hurt(path: Path, how: str, rng: random.Random) -> None:
    """Damage a file."""
    data = bytearray(path.read_bytes())
    if how in ("flip", "flips"):
        for _ in range(1 if how == "flip" else 40):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif how == "zeros":
        at = rng.randrange(len(data))
        data[at : at + 300_000] = bytes(len(data[at : at + 300_000]))
    elif how == "head":
        data[rng.randrange(4096 * 3)] ^= 0xFF
    else:
        del data[rng.randrange(len(data)) if how == "cut" else 0 :]
    path.write_bytes(bytes(data))


def tried(store: Path, whole: dict[str, list[str]], how: str, rng: random.Random) -> tuple[str, list[str]]:
    """Damage a store and rebuild it: what came of it in a word, and what was wrong."""
    hurt(store, how, rng)
    if salvage.is_sound(store):
        return "no harm", differing(state(store), whole)
    before, wrong, said = store.read_bytes(), [], ""
    try:
        pipeline.refresh(store=store, full=True)  # reads every fact
    except StoreError as e:
        said = str(e)
        if "damaged" not in said:
            wrong.append(said)
        if store.read_bytes() != before:
            wrong.append("changed by a command that refused it")
    report = pipeline.rebuild(store)
    kept = Path(report.damaged)
    word = "saved" if not set(report.unreadable) & set(salvage.FROM_FILES) else "files loaded again"
    found = state(store)
    names = differing(found, whole)
    if word != "saved":  # a file loaded again over facts that were saved: its rows are duplicates then
        names = [n for n in names if n not in ("source", "quarantine")]
    own = set(report.unreadable) & set(salvage.OTHERS)
    wrong += [f"{how}: {n} is another one" for n in names if n not in own and not (own and n == "meta")]
    kept.unlink()
    return word, wrong


def run(folder: Path, *, times: int, seed: int) -> tuple[collections.Counter[tuple[str, str]], list[str]]:
    """Damage copies of one store so many times."""
    rng = random.Random(seed)
    made_store, loading = made(folder)
    pipeline.load(loading[1], store=made_store)
    pipeline.refresh(store=made_store, full=True)
    whole = state(made_store)
    came: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong: list[str] = []
    for number in range(times):
        place = folder / "hurt"
        place.mkdir()
        for path in folder.glob("made.duckdb*"):
            shutil.copy(path, place / path.name)
        how = HURTS[number % len(HURTS)]
        word, faults = tried(place / "made.duckdb", whole, how, rng)
        came[how, word] += 1
        wrong += faults
        shutil.rmtree(place)
    return came, wrong


def main() -> None:
    """Run from the command line."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--times", type=int, default=100)
    words.add_argument("--seed", type=int, default=int(time.time()))
    told = words.parse_args()
    os.environ["LINEHEALTH_KEY"] = "a key that only the tests use"
    with tempfile.TemporaryDirectory(prefix="linehealth-damage-") as folder:
        came, wrong = run(Path(folder), times=told.times, seed=told.seed)
    print(f"seed {told.seed}: {told.times} times damaged")  # noqa: T201  # a command
    for (how, word), n in sorted(came.items()):
        print(f"{how:>8}  {word:<20} {n}")  # noqa: T201
    print(f"wrong: {len(wrong)}", *wrong[:20], sep="\n")  # noqa: T201
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
