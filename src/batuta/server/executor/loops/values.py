"""Rows of the files that Loops iterate over, found by their number without holding the file in memory."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from batuta.model import codec
from batuta.model.ion import IonError, read_one, to_json_data
from batuta.storage.contract import Storage

STRIDE = 1_000
"""Rows between two places that are remembered; as many are read at once."""
MAX_FILES = 16


class _File:
    __slots__ = ("number", "places", "rows", "total")

    def __init__(self) -> None:
        self.places: list[int] = []
        """Where every `STRIDE`th row begins, in bytes."""
        self.total = 0
        self.number = -1
        """Of the slice that `rows` is."""
        self.rows: list[str] = []


class Rows:
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._files: OrderedDict[tuple[str, str], _File] = OrderedDict()

    async def count(self, tenant: str, uri: str) -> int:
        """Rows that are not blank. Raises `OSError`, and `ValueError` for what is no URI."""
        return (await self._scan(tenant, uri)).total

    async def text(self, tenant: str, uri: str, number: int) -> str:
        """A row as a text. Raises as `count`, and `IndexError` for a row that is not there."""
        file = self._files.get((tenant, uri)) or await self._scan(tenant, uri)
        self._files.move_to_end((tenant, uri))
        chosen = number // STRIDE
        if file.number != chosen:
            span = file.places[chosen], file.places[chosen + 1 : chosen + 2]
            file.rows = await self._slice(tenant, uri, span=span)
            file.number = chosen
        return file.rows[number % STRIDE]

    async def _slice(self, tenant: str, uri: str, *, span: tuple[int, Sequence[int]]) -> list[str]:
        start, end = span
        length = end[0] - start if end else None
        chunks = [
            chunk async for chunk in self._storage.open(tenant, uri, offset=start, length=length)
        ]
        return [row_text(line) for line in b"".join(chunks).split(b"\n") if line.strip()]

    async def _scan(self, tenant: str, uri: str) -> _File:
        file = _File()
        position = 0
        async for line in _lines(self._storage.open(tenant, uri)):
            if line.strip():
                if file.total % STRIDE == 0:
                    file.places.append(position)
                file.total += 1
            position += len(line) + 1
        self._files[tenant, uri] = file
        while len(self._files) > MAX_FILES:
            self._files.popitem(last=False)
        return file


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest: list[bytes] = []
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest)
            rest = [others.pop()]
            for line in others:
                yield line
    yield b"".join(rest)


def row_text(line: bytes) -> str:
    """A text of Ion as it is, every other value as compact JSON; what is no Ion value is taken literally."""
    try:
        value = read_one(line)
    except IonError:
        return line.decode(errors="replace").strip()
    plain = to_json_data(value)
    return plain if isinstance(plain, str) else codec.encode_text(plain)
