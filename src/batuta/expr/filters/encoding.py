"""Filters that encode text, and hashes."""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from urllib.parse import quote_plus, unquote_to_bytes

from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.filters.text import needs_text
from batuta.expr.format.text import java_text
from batuta.expr.registry import FILTERS
from batuta.expr.values import Value

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)


@FILTERS("base64encode", plain=True, template="{{ 'héllo' | base64encode }}", result="aMOpbGxv")
def base64encode(value: Value) -> Value:
    """Base64 of the UTF-8 bytes of a text."""
    return None if value is None else b64encode(utf8(java_text(value))).decode()


@FILTERS("base64decode", plain=True, template="{{ 'aGk=' | base64decode }}", result="hi")
def base64decode(value: Value) -> Value:
    """The text whose UTF-8 bytes a Base64 text holds."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise EvaluationError("This filter applies to String\n")
    try:
        return decode_base64(value).decode()
    except ValueError:
        raise EvaluationError(
            "Please provide a correctly Base64 encoded string containing an UTF-8 string\n"
        ) from None


def decode_base64(text: str) -> bytes:
    """Padding may be missing. Raises `ValueError`."""
    if _BASE64.fullmatch(text) is None:
        raise ValueError("Illegal base64 character")
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or (len(bare) != len(text) and len(text) % 4):
        raise ValueError("Input byte array has incorrect ending")
    return b64decode(bare + "=" * (-len(bare) % 4))


def utf8(text: str) -> bytes:
    """Lone surrogates become `?`."""
    return text.encode("utf-8", "replace")


@FILTERS("urlencode", plain=True, template="{{ 'a b&c' | urlencode }}", result="a+b%26c")
def urlencode(value: Value) -> Value:
    """Encodes a text as in a form: a blank becomes `+`."""
    if value is None:
        return None
    return quote_plus(utf8(needs_text(value)), safe="*").replace("~", "%7E")


@FILTERS("urldecode", plain=True, template="{{ 'a+b%26c' | urldecode }}", result="a b&c")
def urldecode(value: Value) -> Value:
    """The text that a form-encoded text stands for."""
    if value is None:
        return None
    text = needs_text(value)
    if _BAD_ESCAPE.search(text):
        raise RuntimeFaultError("URLDecoder: Illegal hex characters in escape (%) pattern")
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _digest(value: Value, algorithm: Callable[[bytes], "hashlib._Hash"]) -> Value:
    if value is None:
        return None
    if not isinstance(value, str):
        raise EvaluationError("Need a string to hash\n")
    return algorithm(utf8(value)).hexdigest()


@FILTERS(
    "md5", plain=True, template="{{ 'hello' | md5 }}", result="5d41402abc4b2a76b9719d911017c592"
)
def md5(value: Value) -> Value:
    """MD5 of a text in hexadecimal digits."""
    return _digest(value, hashlib.md5)


@FILTERS(
    "sha1",
    plain=True,
    template="{{ 'hello' | sha1 }}",
    result="aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
)
def sha1(value: Value) -> Value:
    """SHA-1 of a text in hexadecimal digits."""
    return _digest(value, hashlib.sha1)


@FILTERS("sha256", plain=True, template="{{ 'hello' | sha256 | slice(0, 8) }}", result="2cf24dba")
def sha256(value: Value) -> Value:
    """SHA-256 of a text in hexadecimal digits."""
    return _digest(value, hashlib.sha256)


@FILTERS("sha512", plain=True, template="{{ 'hello' | sha512 | slice(0, 8) }}", result="9b71d224")
def sha512(value: Value) -> Value:
    """SHA-512 of a text in hexadecimal digits."""
    return _digest(value, hashlib.sha512)
