"""What leaves the house in, the same without counts of people so small that they single somebody out, out (setting report_small_group)."""

from __future__ import annotations

import re

_PEOPLE = r"(?:new |different |distinct |opted-out |silent |active )*(?:chats?|conversations?|people|persons?|recipients?|contacts?)\b"
_NUMBER = r"(?<![\d.,:/#\-−–_])(\d{1,4})(?![\d.,:%\-–_])"
_COUNTED = re.compile(rf"{_NUMBER}(?= {_PEOPLE})", re.IGNORECASE)
_OF = re.compile(rf"{_NUMBER}(?= (?:of|in) (?:the )?[\d,]+ {_PEOPLE})", re.IGNORECASE)


def few(text: str, least: int) -> str:
    """Return a text in which every count of 1 to ``least`` - 1 people, chats or conversations is "fewer than ``least``"; 0 stays 0."""
    if least < 2:
        return text

    def masked(found: re.Match[str]) -> str:
        return f"fewer than {least}" if 0 < int(found[1]) < least else found[0]

    return _COUNTED.sub(masked, _OF.sub(masked, text))


def is_small(people: int, least: int) -> bool:
    """Return whether a list of so many people singles somebody out."""
    return 0 < people < least
