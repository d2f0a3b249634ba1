"""Whether the tests that take long are run too: the sweep."""

import os

import pytest

EVERY = bool(os.environ.get("LINEHEALTH_EVERY"))
"""$LINEHEALTH_EVERY=1: every page in every width and theme, more seeds, slow commands; some ten minutes more. Else a part of them."""
SWEEP = pytest.mark.skipif(not EVERY, reason="part of the sweep: $LINEHEALTH_EVERY=1")
"""Marks a test that only the sweep runs."""
SEEDS = (1, 2, 3) if EVERY else (1,)
"""Seeds of planted causes, where each seed shows the same once more."""
