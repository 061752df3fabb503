"""Encrypted values inside inputs and outputs, decrypted only for templates (01 §2.2, §3)."""

from collections.abc import Mapping
from typing import Any, Protocol

ENCRYPTED_TYPE = "io.kestra.datatype:aes_encrypted"


class Cipher(Protocol):
    def encrypt(self, text: str) -> str: ...

    def decrypt(self, text: str) -> str:
        """Raises `ValueError` for a text that this key did not encrypt."""
        ...


def reveal(value: Any, cipher: Cipher | None, found: set[str]) -> Any:
    """The value with every encrypted part decrypted; plain texts that came out are added to `found`.

    The same object where nothing is encrypted.
    """
    if isinstance(value, Mapping):
        if value.get("type") == ENCRYPTED_TYPE and isinstance(value.get("value"), str):
            return _decrypted(value["value"], cipher, found)
        changed = {key: reveal(item, cipher, found) for key, item in value.items()}
        return changed if any(changed[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        items = [reveal(item, cipher, found) for item in value]
        return (
            items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        )
    return value


def _decrypted(text: str, cipher: Cipher | None, found: set[str]) -> str:
    if cipher is None:
        raise ValueError(
            "an encrypted value cannot be read: `kestra.encryption.secret-key` is not set"
        )
    plain = cipher.decrypt(text)
    found.add(plain)
    return plain
