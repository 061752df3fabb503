"""Secrets of the open-source backend: environment variables that hold base64 text (02 §5)."""

import base64
import binascii

from batuta.expr.errors import EvaluationError
from batuta.operations.services import Services


def find_secret(services: Services, key: str) -> str:
    """Raises `EvaluationError` that names the key and never a value."""
    name = f"{services.settings.secret_prefix}{key.upper()}"
    encoded = services.environment.get(name)
    if encoded is None:
        raise EvaluationError(f"Cannot find secret for key '{key}'.")
    try:
        return base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise EvaluationError(f"The secret '{key}' is no base64 text.") from None
