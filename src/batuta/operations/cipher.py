"""Encryption of SECRET inputs and outputs (05 §5): AES-GCM, a random 96-bit nonce before the cipher text, base64."""

import base64
import binascii
from collections.abc import Callable

from batuta.operations.settings import Settings
from batuta.operations.system import Ids

NONCE_BYTES = 12
KEY_BYTES = (16, 24, 32)


class AesCipher:
    """One key; the nonces come from `entropy`, so that none is used twice."""

    def __init__(self, key: str, *, entropy: Callable[[int], bytes]) -> None:
        """`key` is base64. Raises `ValueError` for a key that AES cannot use."""
        try:
            raw = base64.b64decode(key, validate=True)
        except binascii.Error as error:
            raise ValueError("`kestra.encryption.secret-key` is no base64 text") from error
        if len(raw) not in KEY_BYTES:
            sizes = ", ".join(str(size) for size in KEY_BYTES)
            raise ValueError(
                f"`kestra.encryption.secret-key` holds {len(raw)} bytes; AES needs {sizes}"
            )
        self._key = raw
        self._entropy = entropy

    def encrypt(self, text: str) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._entropy(NONCE_BYTES)
        return base64.b64encode(
            nonce + AESGCM(self._key).encrypt(nonce, text.encode(), None)
        ).decode()

    def decrypt(self, text: str) -> str:
        """Raises `ValueError` for a text that this key did not encrypt."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            raw = base64.b64decode(text, validate=True)
            return AESGCM(self._key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
        except (binascii.Error, InvalidTag, UnicodeDecodeError) as error:
            raise ValueError(
                "an encrypted value cannot be read with `kestra.encryption.secret-key`"
            ) from error


def cipher_of(settings: Settings, ids: Ids) -> AesCipher | None:
    """None where no key is configured. Raises `ValueError` for a bad one."""
    if settings.encryption_key is None:
        return None
    return AesCipher(settings.encryption_key, entropy=ids.entropy)
