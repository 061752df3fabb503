"""The filters (02 §4), one module for each kind of value. Importing this registers them."""

from batuta.expr.filters import collection, data, date, encoding, number, text

__all__ = ["collection", "data", "date", "encoding", "number", "text"]
