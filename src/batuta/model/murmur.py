"""MurmurHash3 for x64, 128 bits, seed 0: the hash in names that Kestra made (05 §3.2, §17)."""

_MASK = (1 << 64) - 1
_FIRST, _SECOND = 0x87C37B91114253D5, 0x4CF5AD432745937F
_BLOCK_BYTES = 16


def murmur3_text(text: str) -> str:
    """32 hexadecimal digits of the UTF-8 form: both halves with their lowest byte first, as Guava prints them."""
    first, second = _halves(text.encode())
    return first.to_bytes(8, "little").hex() + second.to_bytes(8, "little").hex()


def _halves(content: bytes) -> tuple[int, int]:
    one = two = 0
    whole = len(content) // _BLOCK_BYTES * _BLOCK_BYTES
    for start in range(0, whole, _BLOCK_BYTES):
        one ^= _mixed_first(content[start : start + 8])
        one = ((_rotated(one, 27) + two) * 5 + 0x52DCE729) & _MASK
        two ^= _mixed_second(content[start + 8 : start + 16])
        two = ((_rotated(two, 31) + one) * 5 + 0x38495AB5) & _MASK
    one ^= _mixed_first(content[whole : whole + 8]) ^ len(content)
    two ^= _mixed_second(content[whole + 8 :]) ^ len(content)
    one = (one + two) & _MASK
    two = (two + one) & _MASK
    one, two = _finished(one), _finished(two)
    one = (one + two) & _MASK
    return one, (two + one) & _MASK


def _mixed_first(part: bytes) -> int:
    number = int.from_bytes(part, "little") * _FIRST & _MASK
    return _rotated(number, 31) * _SECOND & _MASK


def _mixed_second(part: bytes) -> int:
    number = int.from_bytes(part, "little") * _SECOND & _MASK
    return _rotated(number, 33) * _FIRST & _MASK


def _rotated(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & _MASK


def _finished(number: int) -> int:
    number = (number ^ number >> 33) * 0xFF51AFD7ED558CCD & _MASK
    number = (number ^ number >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return number ^ number >> 33
