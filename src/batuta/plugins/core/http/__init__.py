"""HTTP tasks (05 §10).

Settings of the server that they read: `kestra.http.block-private-addresses` (off unless set, for compatibility) refuses
requests and redirects to loopback, private, link-local and otherwise reserved addresses.
"""
