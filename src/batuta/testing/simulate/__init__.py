"""`python -m batuta.testing simulate [--seeds N] [--from SEED] [--seed SEED]`: the engine in seeded worlds (09 §9)."""
