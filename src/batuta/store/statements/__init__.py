"""Every statement of the store by name, one module for each table or group of tables.

Written once with SQLAlchemy Core for both databases and compiled into `batuta.store._generated` by
`python -m batuta.store.generate`; run time imports only the result.
"""
