"""A rotated key or a person to forget in, a store whose names are current and from which that person is gone out.

Names are brought forward before anything else is done with a store (``forward``), under the rights of receiver and pull, so that names
made with fewer keys and with more never meet in one merge.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.errors import StoreError, UsageError
from analysis.pipeline.derive import derive
from analysis.pipeline.opened import Where, settings_in, store_at
from analysis.pipeline.spool import Spool as PullSpool
from analysis.sources import Pseudonyms, load_key
from analysis.sources.pseudonym import KEYED, canonical_handle, rotate_key
from analysis.sources.spool import Spool
from analysis.store import Store, forgotten, people

RECEIVER = "receiving"
Fold = Callable[[Where], object]


@dataclass(frozen=True)
class Rotated:
    """What a rotation did: how many keys there are now, and how many names of this store have a new one."""

    keys: int
    names: int


def rotate(store: Where, *, fold: Fold) -> Rotated:
    """Add a key and bring the names of this store forward; other stores of the same key follow when they are next written.

    Raises:
        StoreError: a receiver runs on this store, or key or store cannot be used. Where the store cannot be written after the key was
            added, running any command that writes it does the rest.
    """
    target = store_at(store)
    with _quiet(target):
        if target.exists():
            forward(target, fold=fold, held=True)
            fold(target)
        keys = rotate_key()
        return Rotated(keys, forward(target, fold=fold, held=True))


def forward(store: Where, *, fold: Fold, held: bool = False) -> int:
    """Bring the names of a store forward to the keys there are; returns how many changed, 0 where they are current or there is no store.

    Raises:
        StoreError: the store's names were made with more keys than there are, or a receiver with the old key runs on it.
    """
    target = store_at(store)
    if not target.exists():
        return 0
    names = Pseudonyms(load_key())
    with target.writer() if target.is_old() else target.reader() as con:
        kept = people.generation(con)
    if kept == names.generation:
        return 0
    if kept > names.generation:
        raise StoreError(
            "its names were made with a newer key than the key file has",
            where=target.where,
            fix="restore the key file as it was after the last `linehealth key rotate`",
        )
    with contextlib.nullcontext() if held else _quiet(target):
        fold(target)  # what came before the rotation has names of before
        with target.writer(anew=True) as con:
            count = people.rename(con, lambda name: names.renewed(name, kept))
            people.keep_generation(con, names.generation)
            derive(con, settings_in(con), full=True)
    return count


def forget(recipient: str, store: Where, *, fold: Fold) -> forgotten.Forgotten:
    """Take one person out of the store and let no later load bring them back.

    Args:
        recipient: their number or address, or their keyed name as the store shows it (p_…).
        store: path of the store.
        fold: moves what the receiver got into the store first.

    Raises:
        UsageError: nobody is named. StoreError: no store, or it cannot be used; nothing was changed then.
    """
    target = store_at(store)
    told = recipient.strip()
    if not canonical_handle(told):
        raise UsageError("nobody is named", where="recipient", fix="give a number, an address, or a name like p_…")
    if not target.exists():
        raise StoreError(f"no store at {target.where}", fix="load exports first: linehealth load PATH")
    forward(target, fold=fold)
    fold(target)
    names = Pseudonyms(load_key())
    name = told if KEYED.fullmatch(told) else names.name(canonical_handle(told), "p_")
    with _no_pull(target), target.writer(anew=True) as con:
        gone = forgotten.forget(con, name, names.tombstone)
        derive(con, settings_in(con), full=True)
    return gone


def current(con: Any, names: Pseudonyms) -> None:
    """Make sure, in a transaction that merges facts, that the store's names are made with these keys. Raises StoreError where not."""
    if people.is_empty(con):
        people.keep_generation(con, names.generation)
    elif people.generation(con) != names.generation:
        raise StoreError("the key was rotated while this ran", fix="run the same command again; nothing was changed")


def begin(con: Any) -> None:
    """Note, in a store that holds nothing yet, with how many keys its names are made."""
    if people.is_empty(con):
        people.keep_generation(con, Pseudonyms(load_key()).generation)


def stones(con: Any) -> Callable[[str], str] | None:
    """Return what names ids as the forgotten are named; None where nobody was forgotten."""
    return Pseudonyms(load_key()).tombstone if forgotten.any_forgotten(con) else None


@contextlib.contextmanager
def _quiet(target: Store) -> Any:
    """Hold the rights of receiver and pull; what an unfinished pull read is removed, and pulled again."""
    spool = Spool.of(target.path)
    with contextlib.ExitStack() as rights:
        if spool.folder.is_dir() and not rights.enter_context(spool.only(RECEIVER)):
            raise StoreError(
                "a receiver runs on this store with the key of before",
                where=str(spool.folder),
                fix="stop it (`linehealth receive` or `up`), run this command, and start it again",
            )
        if spool.folder.is_dir():
            spool.seal()  # of a killed receiver: what is folded from here on has names of before
        rights.enter_context(_no_pull(target))
        yield


@contextlib.contextmanager
def _no_pull(target: Store) -> Any:
    pulled = PullSpool(target)
    if not pulled.folder.is_dir():
        yield
        return
    with pulled.alone():
        pulled.clear()
        yield
