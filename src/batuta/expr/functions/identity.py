"""Functions that make identifiers, and the current time."""

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.filters.date import moment_of, written, zone_of
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value, class_name
from batuta.model.ids import friendly_id

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NANO_ALPHABET = f"{_BASE62}-_"
_NANO_LENGTH, _NANO_MAX = 21, 1_000
_KSUID_EPOCH = 1_400_000_000
_KSUID_LENGTH = 27


@FUNCTIONS("uuid", with_state=True, template="{{ uuid() | length }}", result="36")
def uuid(s: State) -> str:
    """A random UUID that sorts by the time it was made (version 7)."""
    digits = _uuid7(s).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _uuid7(s: State) -> bytes:
    random = bytearray(s.host.random_bytes(10))
    random[0] = 0x70 | random[0] & 0x0F
    random[2] = 0x80 | random[2] & 0x3F
    millis = s.host.now().total_nanos() // 1_000_000
    return millis.to_bytes(6, "big") + bytes(random)


@FUNCTIONS("id", with_state=True, template="{{ id() | length }}", result="22")
def id_(s: State) -> str:
    """A short unique id like those of executions."""
    return friendly_id(_uuid7(s))


@FUNCTIONS("ksuid", with_state=True, template="{{ ksuid() | length }}", result="27")
def ksuid(s: State) -> str:
    """A unique id that sorts by the second it was made."""
    seconds = max(s.host.now().seconds - _KSUID_EPOCH, 0) & 0xFFFFFFFF
    number = int.from_bytes(seconds.to_bytes(4, "big") + s.host.random_bytes(16), "big")
    digits = []
    for _ in range(_KSUID_LENGTH):
        number, rest = divmod(number, 62)
        digits.append(_BASE62[rest])
    return "".join(reversed(digits))


@FUNCTIONS(
    "nanoId", "length", "alphabet", with_state=True, template="{{ nanoId(4, 'z') }}", result="zzzz"
)
def nano_id(s: State, length: Value, alphabet: Value) -> str:
    """Random text of a length from an alphabet."""
    count = int(length) if class_name(length) == "java.lang.Long" else _NANO_LENGTH
    letters = alphabet if isinstance(alphabet, str) and alphabet else _NANO_ALPHABET
    if count > _NANO_MAX:
        raise EvaluationError("The 'nanoId()' function field 'length' must be lower than: 1000")
    if count < 0:
        raise RuntimeFaultError(f"the length must not be negative: {count}")
    size = len(letters)
    # Any alphabet is used evenly; the original only masks a byte (02 §5).
    numbers = s.host.random_bytes(count * 4)
    return "".join(
        letters[int.from_bytes(numbers[index * 4 : index * 4 + 4], "big") % size]
        for index in range(count)
    )


@FUNCTIONS(
    "now",
    "format",
    "timeZone",
    "existingFormat",
    "locale",
    with_state=True,
    template="{{ now('yyyy', timeZone='UTC') | length }}",
    result="4",
)
def now(s: State, *arguments: Value) -> str:
    """The current time as text, written like the filter `date` does."""
    pattern, time_zone, existing, locale = arguments
    zone = zone_of(s, time_zone)
    return written(
        s, moment_of(s, s.host.now(), zone, existing=existing), zone, pattern=pattern, locale=locale
    )
