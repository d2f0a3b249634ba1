"""What every fleet family says of a line before anything happens to it: who its people are, and what is planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.simulate.shared.incidents import Incident

SILENT_WARMTH = 0.03


@dataclass(frozen=True)
class People:
    """The chats of a line, a row each: those it has, those that will come, and those an incident would bring."""

    created: np.ndarray  # ms; incident chats: when the incident opens them
    warmth: np.ndarray  # factor on the chance of an answer
    weight: np.ndarray  # how often the line turns to it
    cares: np.ndarray  # how much an unanswered message annoys, mean about 1
    group: np.ndarray
    sms: np.ndarray
    stopped_before: np.ndarray  # ms of an opt-out before the first message; else the far future
    key: np.ndarray
    old: int  # so many were there before the first message

    @property
    def silent(self) -> np.ndarray:
        """Which practically never answer."""
        return self.warmth <= SILENT_WARMTH


class MadeLine(Protocol):
    """A line of any family."""

    @property
    def number(self) -> str:
        """E.164."""

    @property
    def type_name(self) -> str:
        """What kind of line it is."""

    @property
    def seed(self) -> int:
        """Equal seeds give equal lines."""

    @property
    def start(self) -> int:
        """First instant, ms, a full hour."""

    @property
    def end(self) -> int:
        """The instant after its last, ms, a full hour."""

    @property
    def people(self) -> People:
        """Its chats."""

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What is planned."""
