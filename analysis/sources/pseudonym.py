"""Recipients in, keyed pseudonyms out: the same person gets the same name in every source, and no one without the key can tell who."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

import platformdirs
import polars as pl

from analysis.errors import StoreError

KEY_BYTES = 32
_PUNCTUATION = re.compile(r"[\s().\-/]")
_SAFE_ID = re.compile(r"[A-Za-z0-9_.:~=-]{1,128}")
_PHONE_LIKE = re.compile(r"\+\d{7,}|(?<!\d)\d(?:[-.:]?\d){9,14}(?!\d)(?![-.:]\d)")
"""A plus and digits, or 10 to 15 digits, also with single separators between them: 206-555-0117."""
KEYED = re.compile(r"[phft]_[0-9a-f]{20}")
"""A keyed name: of a recipient, an id, a fingerprint, or a tombstone."""
_HEX_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_TEN_DIGITS = r"[0-9](?:[-.:]?[0-9]){9}"
"""What every phone-like part of an id of safe signs holds: an id without it needs no closer look."""


def key_path() -> Path:
    """Return where the key file lives: $LINEHEALTH_KEY_FILE, else beside the user's configuration."""
    named = os.environ.get("LINEHEALTH_KEY_FILE")
    return Path(named) if named else Path(platformdirs.user_config_dir("linehealth")) / "pseudonym.key"


def load_key() -> bytes:
    """Return the pseudonym key: $LINEHEALTH_KEY itself, else the key file, made on first use with owner-only rights.

    Raises:
        StoreError: the key is too short, unreadable, or readable by others.
    """
    given = os.environ.get("LINEHEALTH_KEY")
    if given is not None:
        if len(given.strip()) < 16:
            raise StoreError(
                "the key is shorter than 16 characters",
                where="$LINEHEALTH_KEY",
                fix="set a longer secret, or unset it to use a key file",
            )
        return given.strip().encode()
    path = key_path()
    try:
        return _read_key(path) if path.exists() else _make_key(path)
    except OSError as e:
        raise StoreError(
            f"the key file cannot be used ({e.strerror})",
            where=str(path),
            fix="correct its rights or set $LINEHEALTH_KEY_FILE",
        ) from None


def _read_key(path: Path) -> bytes:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreError("the key file can be read by others", where=str(path), fix=f"run: chmod 600 {path}")
    key = "\n".join(path.read_text().split())
    if any(len(word) < 16 for word in key.split("\n")):
        raise StoreError(
            "the key file is empty or too short",
            where=str(path),
            fix="restore it from a backup; with a new key the people in old and new exports no longer match",
        )
    return key.encode()


def rotate_key() -> int:
    """Add a new key to the key file, on disk when this returns; returns how many it now holds.

    Names are made with the first key and named again with each later one (``Pseudonyms``): whoever got the names, or the keys, of before
    cannot tell whom a name of now stands for.

    Raises:
        StoreError: the key is in $LINEHEALTH_KEY, or the file cannot be used.
    """
    if os.environ.get("LINEHEALTH_KEY") is not None:
        raise StoreError(
            "the key is in the environment, where this program cannot change it",
            where="$LINEHEALTH_KEY",
            fix="write it into a key file ($LINEHEALTH_KEY_FILE, rights 600), unset the variable, and rotate then",
        )
    keys = load_key().split(b"\n")
    path = key_path()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n".join([*keys, secrets.token_hex(KEY_BYTES).encode()]) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as e:
        raise StoreError(
            f"the key file cannot be written ({e.strerror})", where=str(path), fix="correct its rights"
        ) from None
    return len(keys) + 1


def _make_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_hex(KEY_BYTES)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails if another process made the key first: then theirs counts
        except FileExistsError:
            return _read_key(path)
    finally:
        draft.unlink()
    return key.encode()


def canonical_handle(handle: str) -> str:
    """Return one spelling for one person: e-mail in lower case; a number as its digits, whatever its punctuation."""
    text = handle.strip().lower()
    for prefix in ("tel:", "mailto:", "sms:", "imessage:"):
        text = text.removeprefix(prefix)
    if "@" in text:
        return text
    digits = _PUNCTUATION.sub("", text).removeprefix("+").removeprefix("00")
    return digits if digits.isdigit() else text


def canonical_line(line: str) -> str:
    """Return one spelling for one line: E.164 with its plus sign where it is a full number, else as given."""
    text = line.strip()
    bare = _PUNCTUATION.sub("", text.removeprefix("tel:"))
    digits = bare.removeprefix("+")
    if digits.isdigit() and (bare.startswith("+") or 11 <= len(digits) <= 15):
        return "+" + digits
    return text


class Pseudonyms:
    """Keyed names for recipients, and for ids that would tell a recipient; remembers what it has named.

    A key that was rotated is several, one a line, oldest first: a name made with the first is named again with each later one, so that
    names kept from before can be brought forward (``renewed``) though nobody knows any more whom they stand for.
    """

    def __init__(self, key: bytes) -> None:
        self._keys = [hashlib.blake2b(word, digest_size=32).digest() for word in key.split(b"\n")]
        self._known: dict[str, str] = {}

    @property
    def generation(self) -> int:
        """How many keys there are: 1 where none was ever rotated."""
        return len(self._keys)

    def name(self, text: str, prefix: str) -> str:
        """Return the keyed name of a text, 80 bits, with a prefix that says what kind of thing it names."""
        return self.renewed(_named(text, prefix, self._keys[0]), 1)

    def renewed(self, name: str, generation: int) -> str:
        """Return what a name of this generation is called now."""
        for key in self._keys[generation:]:
            name = _named(name, name[: name.index("_") + 1], key)
        return name

    def tombstone(self, identifier: str) -> str:
        """Return the name under which an id is remembered as forgotten: itself where it is a keyed name, else one that tells nothing."""
        return identifier if KEYED.fullmatch(identifier) else self.name(identifier, "t_")

    def _map(self, series: pl.Series, one: dict[str, str]) -> pl.Series:
        if not one:
            return series
        return series.replace(list(one.keys()), list(one.values()))

    def recipients(self, series: pl.Series) -> pl.Series:
        """Name every recipient of a text column; nulls stay null."""
        names = {}
        for handle in series.drop_nulls().unique():
            if handle not in self._known:
                self._known[handle] = self.name(canonical_handle(handle), "p_")
            names[handle] = self._known[handle]
        return self._map(series, names)

    def ids(self, series: pl.Series, *, repeated: bool = False) -> pl.Series:
        """Return ids as they are, but those that hold a phone number, an address or free text under a keyed name.

        ``repeated``: most stand there several times, and it is cheaper to look at each once.
        """
        doubtful = (
            (series.unique() if repeated else series)
            .to_frame("id")
            .filter(~pl.col("id").str.contains(f"^(?:{_HEX_ID.pattern})$"))
        )
        if doubtful.height:
            safe = pl.col("id").str.contains(f"^(?:{_SAFE_ID.pattern})$")
            doubtful = doubtful.filter(~(safe & ~pl.col("id").str.contains(_TEN_DIGITS)))
        unsafe = {i: self.name(i, "h_") for i in doubtful["id"].unique() if tells_a_person(i)}
        return self._map(series, unsafe)

    def fingerprints(self, series: pl.Series) -> pl.Series:
        """Name every fingerprint, so that a text put there by mistake is not kept either."""
        return self._map(series, {f: self.name(f, "f_") for f in series.drop_nulls().unique()})


def _named(text: str, prefix: str, key: bytes) -> str:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), key=key, digest_size=10, person=prefix.encode()[:16])
    return f"{prefix}{digest.hexdigest()}"


def tells_a_person(identifier: str) -> bool:
    """Return whether an id may hold a phone number, an e-mail address or free text."""
    if _HEX_ID.fullmatch(identifier):
        return False
    return not _SAFE_ID.fullmatch(identifier) or bool(_PHONE_LIKE.search(identifier))
