"""Each reader beside what makes mutated inputs for it and what must hold afterwards: a batch of inputs in, how many were tried out.

What is allowed to happen: the input is used, or refused in one sentence (LineHealthError, a row in quarantine). Anything else is a find.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.files import actions, mapping, settings, spool, tables_csv, tables_parquet, webhook
from tests.fuzz.mutate import Mutator
from tests.fuzz.services import api, receiver, url

Batch = Callable[[Mutator, int, Path], None]

READERS: dict[str, tuple[Batch, float, int]] = {
    "webhook": (webhook, 0.30, 5000),
    "csv": (tables_csv, 0.18, 5000),
    "parquet": (tables_parquet, 0.14, 4000),
    "receiver": (receiver, 0.14, 2500),
    "api": (api, 0.06, 1000),
    "url": (url, 0.06, 2500),
    "mapping": (mapping, 0.01, 500),
    "settings": (settings, 0.05, 2500),
    "actions": (actions, 0.03, 2000),
    "spool": (spool, 0.03, 2500),
}
"""By name: what tries a batch, its share of all inputs, and the inputs of one batch."""
