"""Whole servers in seeded worlds; `python -m batuta.testing simulate --level 2 --seeds N` runs more (09 §9)."""

import pytest

from batuta.testing.simulate.level2.world import World

BLOCKS = 10
SEEDS_PER_BLOCK = 100


@pytest.mark.parametrize("block", range(BLOCKS))
def test_servers_keep_all_invariants(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert World(seed).run() is None, f"seed {seed}"
