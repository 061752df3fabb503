"""Encryption with AES in GCM mode (02 §5)."""

from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.filters.encoding import decode_base64, utf8
from batuta.expr.format.text import java_text
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value

_IV_BYTES = 12
_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@FUNCTIONS(
    "encrypt",
    "key",
    "plaintext",
    with_state=True,
    template=f"{{{{ decrypt('{_KEY}', encrypt('{_KEY}', 'hello')) }}}}",
    result="hello",
)
def encrypt(s: State, key: Value, plaintext: Value) -> Value:
    """A text encrypted with a Base64 key; decrypted by `decrypt`."""
    if key is None or plaintext is None:
        raise EvaluationError("The 'encrypt' function expects two arguments 'key' and 'plaintext'.")
    text = java_text(plaintext)
    if not text:
        return text
    iv = s.host.random_bytes(_IV_BYTES)
    return b64encode(iv + _cipher(key).encrypt(iv, utf8(text), None)).decode()


@FUNCTIONS(
    "decrypt",
    "key",
    "encrypted",
    template=f"{{{{ decrypt('{_KEY}', encrypt('{_KEY}', 'hello')) }}}}",
    result="hello",
)
def decrypt(key: Value, encrypted: Value) -> Value:
    """The text that `encrypt` was given."""
    if key is None or encrypted is None:
        raise EvaluationError("The 'decrypt' function expects two arguments 'key' and 'encrypted'.")
    text = java_text(encrypted)
    if not text:
        return text
    data = _bytes(text)
    if len(data) < _IV_BYTES:
        raise RuntimeFaultError("the encrypted text is too short")
    from cryptography.exceptions import InvalidTag

    try:
        return _cipher(key).decrypt(data[:_IV_BYTES], data[_IV_BYTES:], None).decode()
    except (InvalidTag, ValueError):
        raise EvaluationError("The text cannot be decrypted with this key") from None


def _cipher(key: Value) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = _bytes(java_text(key))
    if len(raw) not in {16, 24, 32}:
        raise EvaluationError(f"Invalid AES key length: {len(raw)} bytes")
    return AESGCM(raw)


def _bytes(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as problem:
        raise RuntimeFaultError(str(problem)) from None
