"""Encrypted values are opened for templates only, and remembered for masking."""

import pytest

from batuta.server.context.secrets import ENCRYPTED_TYPE, decrypt_inputs, reveal


class Reverse:
    """A cipher that everybody can break."""

    def encrypt(self, text: str) -> str:
        return text[::-1]

    def decrypt(self, text: str) -> str:
        return text[::-1]


def test_encrypted_outputs_are_opened_wherever_they_stand() -> None:
    found: set[str] = set()
    hidden = {"type": ENCRYPTED_TYPE, "value": "terces"}
    assert reveal({"a": [hidden, 1]}, Reverse(), found) == {"a": ["secret", 1]}
    assert found == {"secret"}


def test_a_value_without_secrets_is_given_back_itself() -> None:
    value = {"a": [1, {"b": 2}]}
    assert reveal(value, None, set()) is value


def test_inputs_of_type_secret_are_opened_by_their_declaration() -> None:
    found: set[str] = set()
    stored = {"plain": "terces", "nested": {"key": "terces"}}
    opened = decrypt_inputs(stored, ["nested.key", "absent"], Reverse(), found=found)
    assert opened == {"plain": "terces", "nested": {"key": "secret"}}
    assert stored["nested"] == {"key": "terces"}
    assert found == {"secret"}


def test_without_a_key_the_setting_is_named() -> None:
    with pytest.raises(ValueError, match=r"kestra\.encryption\.secret-key"):
        reveal({"type": ENCRYPTED_TYPE, "value": "x"}, None, set())
