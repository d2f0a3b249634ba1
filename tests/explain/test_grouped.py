"""Running sums and minima over groups are what a look at every row before each gives."""

import numpy as np
import pytest

from analysis.explain.grouped import Groups
from analysis.explain.running import NEVER


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [0, 1, 2, 200])
def test_groups_tell_what_was_before_each_row(seed, rows):
    chance = np.random.default_rng(seed)
    one, two = chance.integers(0, 3, rows), chance.integers(5, 12, rows)
    values = chance.integers(0, 9, rows)
    times = np.where(chance.random(rows) < 0.4, NEVER, chance.integers(1_700_000_000_000, 1_700_000_000_004, rows))
    groups = Groups(one, two)
    before = [[j for j in range(i) if (one[j], two[j]) == (one[i], two[i])] for i in range(rows)]
    assert groups.sizes_before().tolist() == [len(places) for places in before]
    assert groups.sums_before(values).tolist() == [int(values[places].sum()) for places in before]
    assert groups.least_before(times).tolist() == [int(times[places].min(initial=NEVER)) for places in before]


def test_no_time_at_all_is_never():
    assert (
        Groups(np.zeros(2, dtype=int), np.zeros(2, dtype=int)).least_before(np.full(2, NEVER)).tolist() == [NEVER] * 2
    )
