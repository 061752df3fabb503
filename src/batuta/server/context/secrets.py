"""Encrypted values inside inputs and outputs, decrypted only for templates (01 §2.2, §3)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

from batuta.flow.inputs import get_nested, put_nested

ENCRYPTED_TYPE = "io.kestra.datatype:aes_encrypted"


class Found(Protocol):
    """Is told every text that was decrypted."""

    def add(self, text: str, /) -> None: ...


class Cipher(Protocol):
    def encrypt(self, text: str) -> str: ...

    def decrypt(self, text: str) -> str:
        """Raises `ValueError` for a text that this key did not encrypt."""
        ...


def decrypt_inputs(
    inputs: Mapping[str, Any],
    secret_ids: Sequence[str],
    cipher: Cipher | None,
    *,
    found: Found,
) -> Mapping[str, Any]:
    """The inputs with those of type SECRET decrypted; the plain texts are added to `found`."""
    result: Mapping[str, Any] = inputs
    for name in secret_ids:
        stored = get_nested(result, name)
        if isinstance(stored, str):
            copy = deepcopy(dict(result))
            put_nested(copy, name, _decrypted(stored, cipher, found))
            result = copy
    return result


def reveal(value: Any, cipher: Cipher | None, found: Found) -> Any:
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


def _decrypted(text: str, cipher: Cipher | None, found: Found) -> str:
    if cipher is None:
        raise ValueError(
            "an encrypted value cannot be read: `kestra.encryption.secret-key` is not set"
        )
    plain = cipher.decrypt(text)
    found.add(plain)
    return plain
