"""Identifiers, and how new ones are derived.

Ids inside an execution are derived from its own id and a counter, so the engine stays a pure function
(09 §5); only the id of an execution itself needs randomness, which the roles supply.
"""

import hashlib
from typing import NewType

import msgspec
from typing_extensions import override

ExecutionId = NewType("ExecutionId", str)
TaskRunId = NewType("TaskRunId", str)
TaskId = NewType("TaskId", str)

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_LENGTH = 22
PARTITIONS = 64
"""Executions are spread over this many partitions; one executor owns a partition at a time (09 §1)."""


class FlowKey(msgspec.Struct, frozen=True, order=True):
    """A flow within an installation."""

    tenant: str
    namespace: str
    id: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}.{self.id}"


def friendly_id(entropy: bytes) -> str:
    """Base-62 text of 22 characters for 16 bytes of entropy (01 §9.1)."""
    number = int.from_bytes(entropy[:16], "big")
    pairs = []
    for _ in range(_LENGTH // 2):
        number, rest = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[rest])
    return "".join(reversed(pairs))


def timed_id(at: int, entropy: bytes) -> str:
    """As `friendly_id` for 10 bytes of entropy, but an id made in a later millisecond sorts after.

    For executions: the keys of most rows begin with their id, and tables that grow at the end stay fast (09 §6).
    """
    milliseconds = (at // 1000).to_bytes(6, "big")
    return friendly_id(milliseconds + entropy[:10])


def derived_id(root: str, ordinal: int) -> TaskRunId:
    """The id of the `ordinal`-th thing made inside `root`; the same arguments give the same id."""
    return TaskRunId(
        friendly_id(hashlib.blake2b(f"{root}/{ordinal}".encode(), digest_size=16).digest())
    )


def derived_fraction(root: str, ordinal: int) -> float:
    """A number in [0, 1) that looks random and is a function of its arguments (random retry delays)."""
    digest = hashlib.blake2b(f"{root}#{ordinal}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def partition_of(execution: str) -> int:
    """The partition that an execution belongs to, stable for ever."""
    return hashlib.blake2b(execution.encode(), digest_size=1).digest()[0] % PARTITIONS
