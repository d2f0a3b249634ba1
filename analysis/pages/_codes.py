"""A failure code in; what the vendor says it means, and what to do about it, out (source: the vendor's SDK and documentation)."""

from __future__ import annotations

CODES = {
    "3007": ("A fault on the vendor's side", "Send again later; if it lasts, ask the vendor with the ids."),
    "4001": ("Not delivered", "See whether it repeats in the same chats, and leave those out."),
    "4005": ("The recipient's service cannot take this kind of message", "Send plain text, or by another service."),
    "1007": ("Too fast: over 30 messages in 60 s to one person, or a day's limit", "Slow down; look for a loop."),
    "2006": ("This number may not send", "Check the line's rights with the vendor."),
    "2008": ("The recipient is not allowed here until they write first", "Wait for their message."),
    "2024": ("The person has opted out on all your lines", "Stop; take the chat off every list."),
    "2026": ("The person is on your own list of blocked people", "Take the chat off the list of sends."),
    "2027": ("The line cannot deliver now", "Pause the line, and ask the vendor."),
}
"""Meaning and next step of the codes whose meaning a source tells."""
FAMILIES = {
    "1": ("A wrong or too fast request; no text is published for it", "Look the code up in your request logs."),
    "2": ("Refused; no text is published for it", "Ask the vendor with the ids."),
    "3": ("A fault on the vendor's side; no text is published for it", "Send again later."),
    "4": ("Not delivered; no text is published for it", "See whether it repeats in the same chats."),
    "5": ("A fault with an attachment; no text is published for it", "Send without it."),
}
"""The same by the first digit of a code of four."""
UNKNOWN = ("Not named by the vendor", "Open a failed message and ask the vendor with its id.")


def meaning(code: str) -> tuple[str, str]:
    """Return what a code means and what to do."""
    family = FAMILIES.get(code[:1], UNKNOWN) if code.isdigit() and len(code) == 4 else UNKNOWN
    return CODES.get(code, family)
