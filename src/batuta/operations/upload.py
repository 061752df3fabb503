"""A file that came with a request and is not stored yet."""

from collections.abc import AsyncIterator, Callable

import msgspec


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the part's name, `file_name` what the sender calls the file, `size` in bytes."""

    name: str
    file_name: str
    size: int
    open: Callable[[], AsyncIterator[bytes]]


def upload_of(name: str, file_name: str, content: bytes) -> Upload:
    """A file in memory."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return Upload(name=name, file_name=file_name, size=len(content), open=chunks)
