"""The hosts that example flows name, as one small server on the loopback interface."""

import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.e2e import taxi

PRODUCTS = 100
BRANDS = ("Aurora", "Birch", "Comet", "Delta", "Ember", "Fjord", "Grove", "Harbor")
CATEGORIES = ("beauty", "furniture", "groceries", "laptops")

Route = tuple[re.Pattern[str], str, Callable[..., bytes]]


@lru_cache(maxsize=1)
def products() -> dict[str, Any]:
    """A product list as the demonstration shop of the course gives it; a few products have no brand."""
    rng = random.Random("products")
    items = []
    for number in range(1, PRODUCTS + 1):
        item = {
            "id": number,
            "title": f"Product {number}",
            "category": rng.choice(CATEGORIES),
            "price": round(rng.uniform(1, 500), 2),
            "stock": rng.randrange(200),
            "tags": rng.sample(["new", "sale", "eco", "gift"], 2),
            "reviews": [{"rating": rng.randrange(1, 6), "comment": "fine"}],
        }
        if number % 10:
            item["brand"] = rng.choice(BRANDS)
        items.append(item)
    return {"products": items, "total": PRODUCTS, "skip": 0, "limit": PRODUCTS}


@lru_cache(maxsize=8)
def trips(kind: str, year: str, month: str) -> bytes:
    return taxi.month_gz(kind, int(year), int(month))


def _trips(folder: str, kind: str, year: str, month: str) -> bytes:
    del folder
    return trips(kind, year, month)


ROUTES: tuple[Route, ...] = (
    (re.compile(r"/products"), "application/json", lambda: json.dumps(products()).encode()),
    (
        re.compile(r"/v2/repositories/[\w/-]+"),
        "application/json",
        lambda: json.dumps({"name": "kestra", "pull_count": 123456789}).encode(),
    ),
    (
        re.compile(r"(?:/[\w.-]+)*/(yellow|green)/(yellow|green)_tripdata_(\d{4})-(\d\d)\.csv\.gz"),
        "application/gzip",
        _trips,
    ),
    (re.compile(r"/data\.csv"), "text/csv", lambda: b"id,name\n1,one\n2,two\n"),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        for pattern, kind, content in ROUTES:
            match = pattern.fullmatch(path)
            if match is not None:
                self._answer(200, kind, content(*match.groups()))
                return
        self._answer(404, "text/plain", b"no such page")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def web_hosts() -> Iterator[str]:
    """The address of the server, such as `http://127.0.0.1:43210`, while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
