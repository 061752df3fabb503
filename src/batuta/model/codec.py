"""The one JSON codec. Everything that is stored or sent as JSON goes through here (08 §6.1, msgspec)."""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: object) -> bytes:
    """Compact JSON. Raises `TypeError` for a value that JSON cannot hold."""
    return _encoder.encode(value)


def encode_text(value: object) -> str:
    return _encoder.encode(value).decode()


def decode(data: bytes | str) -> Any:
    """Plain data of a JSON text. Raises `ValueError` (`msgspec.DecodeError`) with the position of a mistake."""
    return _decoder.decode(data)


def decode_as(kind: type[T], data: bytes | str) -> T:
    """A typed value of a JSON text. Raises `ValueError` naming the path of the first mismatch."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    result: T = decoder.decode(data)
    return result


def convert(value: object, kind: type[T]) -> T:
    """Plain data to a typed value, as `decode_as` without the text."""
    return msgspec.convert(value, kind)


def to_plain(value: object) -> Any:
    """A typed value as maps, lists and scalars."""
    return msgspec.to_builtins(value)
