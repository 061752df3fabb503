"""What all attempts of one worker share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from batuta.expr.host import Settings
from batuta.operations.system import Clock, Ids
from batuta.sdk.registry import Registry
from batuta.server.worker.gateway import Gateway
from batuta.storage.contract import Storage


class Workplace(msgspec.Struct, frozen=True, kw_only=True):
    worker_id: str
    gateway: Gateway
    storage: Storage
    registry: Registry
    clock: Clock
    ids: Ids
    tmp_dir: Path
    """Working directories are made below it."""
    cache_dir: Path
    settings: Mapping[str, Any] = {}
    """Configuration that plugins may read, by dotted name."""
    rendering: Settings = Settings()
    allowed_paths: tuple[Path, ...] = ()
    """Folders below which `file://` may be read (05 §3.5)."""
