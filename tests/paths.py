"""Places that tests read from."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
"""Recorded behaviour, examples and specification, where this machine has them."""
