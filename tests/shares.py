"""How files of tests are shared out among the test processes: what takes longest begins first, and browser tests stay together."""

from collections.abc import Iterable

from xdist.scheduler import LoadFileScheduling

FIRST = ("tests/browser/", "tests/store/", "tests/cluster/", "tests/breaking/", "tests/serve/", "tests/pages/")
"""Folders of long files, longest first: at the end only short ones are left, so that no process waits for another."""


class Shares(LoadFileScheduling):
    """A file is one process's, and the whole folder of browser tests is: an app and a Chromium take 8 s to start."""

    def _split_scope(self, nodeid: str) -> str:
        return FIRST[0] if nodeid.startswith(FIRST[0]) else super()._split_scope(nodeid)


def place(nodeid: str) -> int:
    """Return where in the order a test belongs; those of one file are in one place."""
    return next((number for number, folder in enumerate(FIRST) if nodeid.startswith(folder)), len(FIRST))


def in_order(items: Iterable) -> list:
    """Return tests with those of long files first, else as they were."""
    return sorted(items, key=lambda item: place(item.nodeid))
