"""Temporary."""
import re
from functools import lru_cache
import jq
class JqError(ValueError):
    """x"""
@lru_cache(256)
def _c(p):
    if re.search(r'\b(env|input|inputs|import|include|input_filename)\b|\$ENV', p): raise JqError('forbidden')
    return jq.compile(p)
def run_jq(program, value):
    try: return _c(program).input_value(value).all()
    except ValueError as e: raise JqError(str(e)) from None
