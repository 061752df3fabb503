"""The functions (02 §5), by what they are about. Importing this registers them."""

from batuta.expr.functions import context, crypto, document, files, identity, number, services

__all__ = ["context", "crypto", "document", "files", "identity", "number", "services"]
