"""Addresses as a person configures them in; targets that never show them out."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from analysis.errors import UsageError

ENVIRONMENT = "LINEHEALTH_NOTIFY"
"""The variable that holds addresses, several apart by blanks or new lines."""
CONFIG = "notify"
"""The file beside the pseudonym key that holds them where the variable is not set: one a line, # begins a comment."""
FOLDER = "folder"


@dataclass(frozen=True)
class Target:
    """One place to send to; its address is not in its repr."""

    kind: str
    """What sort of place: "folder", or the service's scheme (mailto, slack, json, …)."""
    address: str = field(repr=False)

    @property
    def key(self) -> str:
        """A short word that tells the configured targets apart: too short to find out an address by trying."""
        return hashlib.sha256(self.address.encode()).hexdigest()[:8]


def target_of(address: str, where: str) -> Target:
    """Return the target of an address: a folder's path or file:// URL, or a URL that apprise knows.

    Args:
        address: as configured.
        where: what to call it in an error, since the address itself may hold a secret.

    Raises:
        UsageError: nothing can be sent there, or apprise is not installed.
    """
    if "://" not in address or address.startswith("file://"):
        return Target(FOLDER, str(Path(address.removeprefix("file://")).expanduser()))
    from analysis.notify.service import kind_of

    kind = kind_of(address)
    if kind is None:
        raise UsageError(
            "not an address that can be sent to",
            where=where,
            fix="write it as https://github.com/caronc/apprise/wiki says, or name a folder",
        )
    return Target(kind, address)


def configured() -> list[Target]:
    """Return the targets of $LINEHEALTH_NOTIFY, else of the file; none where neither is there.

    Raises:
        UsageError: one of them is no address, or others may read the file.
    """
    told = os.environ.get(ENVIRONMENT)
    if told is not None:
        return [target_of(a, f"address {i} of ${ENVIRONMENT}") for i, a in enumerate(told.split(), 1)]
    path = Path(platformdirs.user_config_dir("linehealth")) / CONFIG
    if not path.exists():
        return []
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError("others may read the addresses in it", where=str(path), fix=f"run: chmod 600 {path}")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [target_of(a, f"{path}, line {i}") for i, a in enumerate(lines, 1) if a and not a.startswith("#")]
