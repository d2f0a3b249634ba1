"""Paths in, recognised byte streams out: files, folders and globs, plain, gzip or zstd, by content and not by name."""

from __future__ import annotations

import glob
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from analysis.errors import SourceError, UsageError

CHUNK = 1 << 20
HASHED = 4 << 20
"""Bytes that are hashed at once: beside a reader each piece waits for its turn (5 ms), so that small ones would take longer than the reading."""
ZSTD_PIECE = 1 << 11
"""Packed bytes unpacked at once: at the format's most (128 kB of 4 bytes) they become 64 MB."""
BOMB_MB, BOMB_RATIO = 256, 200
"""A packed file that unpacks to more than both, MB and times its size read so far, is refused: logs and tables shrink 5 to 50 times."""
GZIP, ZSTD, PARQUET, DUCKDB = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"DUCK"


@dataclass(frozen=True)
class Found:
    """One file to read; ``named`` when the user named it, not when a folder or a glob brought it in."""

    path: Path
    named: bool


def find(paths: list[str | Path]) -> list[Found]:
    """Return the files behind paths, folders (searched deep, hidden files left out) and globs, each once, in order.

    Raises:
        UsageError: nothing is there under one of the paths.
    """
    found: dict[Path, Found] = {}
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            inside = sorted(
                p
                for p in path.rglob("*")
                if p.is_file() and not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
            if not inside:
                raise UsageError("the folder is empty", where=str(given), fix="name a folder that holds exports")
            matches = [Found(p, named=False) for p in inside]
        elif path.is_file():
            matches = [Found(path, named=True)]
        elif path.exists():
            raise UsageError("not a regular file", where=str(given), fix="name a file, a folder or a pattern")
        else:
            matches = [
                Found(Path(p), named=False) for p in sorted(glob.glob(str(path), recursive=True)) if Path(p).is_file()
            ]
            if not matches:
                raise UsageError(
                    "no such file or folder",
                    where=str(given),
                    fix="check the path; a pattern must match at least one file",
                )
        for match in matches:
            known = found.get(match.path.resolve())
            if known is None or (match.named and not known.named):
                found[match.path.resolve()] = match
    return list(found.values())


def fingerprint(path: Path, *, salt: bytes = b"") -> str:
    """Return a name for the content of a file (with the mapping it is read by), equal for equal content."""
    digest = hashlib.blake2b(salt, digest_size=16)
    piece = memoryview(bytearray(HASHED))
    try:
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(piece):
                digest.update(piece[:size])
    except OSError as e:
        raise SourceError(f"the file cannot be read ({e.strerror})", where=str(path), fix="check its rights") from None
    return digest.hexdigest()


def magic(path: Path) -> bytes:
    """Return the first bytes of a file, by which its packing is known.

    Raises:
        SourceError: the file is empty or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as e:
        raise SourceError(f"the file cannot be read ({e.strerror})", where=str(path), fix="check its rights") from None
    if not head:
        raise SourceError("the file is empty", where=str(path), fix="export it again")
    return head


class Stream:
    """The unpacked bytes of one file, in blocks; ``damage`` says afterwards how the packing was broken, if it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        self.read_bytes = 0
        head = magic(path)
        self.packing = "gzip" if head.startswith(GZIP) else "zstd" if head.startswith(ZSTD) else "plain"

    def blocks(self) -> Iterator[bytes]:
        """Yield unpacked blocks of at most a few MB; a broken packing ends the stream and sets ``damage``."""
        try:
            with self.path.open("rb") as file:
                if self.packing == "plain":
                    while block := file.read(CHUNK):
                        self.read_bytes += len(block)
                        yield block
                else:
                    yield from self._watched(self._gzip(file) if self.packing == "gzip" else self._zstd(file))
        except OSError as e:
            self.damage = f"the file could not be read to its end ({e.strerror or 'input/output error'})"

    def _watched(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        unpacked = 0
        for block in blocks:
            unpacked += len(block)
            if unpacked > max(BOMB_MB << 20, BOMB_RATIO * self.read_bytes):
                raise SourceError(
                    f"the {self.packing} file unpacks to more than {BOMB_RATIO} times its size",
                    where=str(self.path),
                    fix="unpack it yourself and look what it holds; no export shrinks so much",
                )
            yield block

    def _gzip(self, file) -> Iterator[bytes]:  # type: ignore[no-untyped-def]
        unpacked = gzip.GzipFile(fileobj=file)
        try:
            while block := unpacked.read(CHUNK):
                self.read_bytes = file.tell()
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.damage = "the gzip file is cut off or damaged here"

    def _zstd(self, file) -> Iterator[bytes]:  # type: ignore[no-untyped-def]
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        try:
            while packed := file.read(ZSTD_PIECE):
                self.read_bytes += len(packed)
                while packed:
                    if block := unpacker.decompress(packed):
                        yield block
                    packed = unpacker.unused_data if unpacker.eof else b""
                    if packed:
                        unpacker = zstandard.ZstdDecompressor().decompressobj()
            if not unpacker.eof:
                self.damage = "the zstd file is cut off here"
        except zstandard.ZstdError:
            self.damage = "the zstd file is damaged here"

    def lines(self, longest: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield (line number from 1, line without its end); None in place of a line over ``longest`` bytes."""
        for first, lines in self.line_blocks(longest):
            yield from enumerate(lines, first)

    def line_blocks(self, longest: int) -> Iterator[tuple[int, list[bytes | None]]]:
        """Yield (number of the first, lines) of about a MB at a time: lines as ``lines`` yields them."""
        number, kept_size, too_long = 1, 0, False
        kept: list[bytes] = []
        for piece in self._pieces():
            lines: list[bytes | None] = piece.split(b"\n")  # type: ignore[assignment]
            begun: bytes = lines.pop()  # type: ignore[assignment]
            if lines:
                first: bytes = lines[0]  # type: ignore[assignment]
                if too_long or kept_size + len(first) > longest:
                    lines[0] = None
                elif kept:
                    lines[0] = b"".join(kept) + first
                if len(piece) > longest:
                    lines[1:] = [None if line is None or len(line) > longest else line for line in lines[1:]]
                yield number, lines
                number, kept, kept_size, too_long = number + len(lines), [], 0, False
            if too_long or kept_size + len(begun) > longest:
                kept, kept_size, too_long = [], 0, True
            elif begun:
                kept.append(begun)
                kept_size += len(begun)
        if too_long:
            yield number, [None]
        elif kept:
            yield number, [b"".join(kept)]

    def _pieces(self) -> Iterator[bytes]:
        for block in self.blocks():
            if len(block) <= CHUNK:
                yield block
            else:  # lines of what a packing made big are not held all at once
                yield from (block[start : start + CHUNK] for start in range(0, len(block), CHUNK))
