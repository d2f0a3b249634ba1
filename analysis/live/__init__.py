"""The vendor's API in, facts without content or plain recipients out. The only httpx user; knows no store.

Read in this order: ``connection`` (key, address, pace: where they come from), ``client`` (one call: pace, repeats, errors),
``paging`` (a whole list, though its rows move), ``reading`` (lines, chats and messages as facts), ``audits`` (ask and look).
"""

from analysis.live.audits import Asked, Cooldown, ask_audit, look_at_audit
from analysis.live.client import Client
from analysis.live.connection import Connection, connection
from analysis.live.reading import ChatSeen, LineSeen, Listed, Reader

__all__ = [
    "Asked",
    "ChatSeen",
    "Client",
    "Connection",
    "Cooldown",
    "LineSeen",
    "Listed",
    "Reader",
    "ask_audit",
    "connection",
    "look_at_audit",
]
