"""Names of chats and days in; the addresses of their own page, and links to it, out."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from analysis.pages import _html as html
from analysis.pages import _words as words
from analysis.pages._store import address

CHAT, CHATS = "analysis/pages/chat.py", "analysis/pages/chats.py"
"""Two pages: Streamlit does not write the address when a page leads to itself."""
PATH = "chat"


def chat_query(line: str, chat_id: str, at: str | None = None) -> dict[str, str]:
    """Return the address of one chat; ``at`` names the change of its line to mark."""
    return address(line=words.line_key(line), chat=chat_id, **({"at": at} if at else {}))


def day_query(line: str, day: date) -> dict[str, str]:
    """Return the address of the chats of a line's day."""
    return address(line=words.line_key(line), day=day.isoformat())


def chat_link(line: str, chat_id: str, at: str | None = None) -> str:
    """Return a chat's short name as a link to its page."""
    way = html.text(f"{PATH}?{urlencode(chat_query(line, chat_id, at))}")
    name = html.text(words.chat_name(chat_id))
    return f'<a href="{way}" title="{html.text(chat_id)}" aria-label="Chat {name}"><code style="color:inherit">{name}</code></a>'
