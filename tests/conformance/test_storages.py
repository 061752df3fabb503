"""Every storage passes the published suite."""

import pytest

from batuta.storage.local import LocalStorage
from batuta.storage.memory import MemoryStorage
from batuta.testing.suites import cases, storage_files

STORAGES = {
    "memory": lambda _: MemoryStorage(),
    "local": lambda folder: LocalStorage(folder / "files"),
    "local-fast": lambda folder: LocalStorage(folder / "files", durable=False),
}


@pytest.mark.parametrize("make", STORAGES.values(), ids=STORAGES)
@pytest.mark.parametrize("case", cases(storage_files), ids=lambda case: case.__name__)
async def test_storage(case, make, tmp_path):
    await case(make(tmp_path))
