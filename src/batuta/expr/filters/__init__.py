"""The filters (02 §4), one module for each kind of value. Importing this registers them."""

from batuta.expr.filters import collection, date, document, encoding, number, text

__all__ = ["collection", "date", "document", "encoding", "number", "text"]
