"""Trip files like those of the course: its columns, its file names, generated rows. The same month gives the same bytes.

python -m tests.e2e.taxi FOLDER yellow 2019 1
"""

import csv
import gzip
import io
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

ROWS = 50_000

YELLOW = [
    "VendorID",
    "tpep_pickup_datetime",
    "tpep_dropoff_datetime",
    "passenger_count",
    "trip_distance",
    "RatecodeID",
    "store_and_fwd_flag",
    "PULocationID",
    "DOLocationID",
    "payment_type",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "improvement_surcharge",
    "total_amount",
    "congestion_surcharge",
]
GREEN = [
    "VendorID",
    "lpep_pickup_datetime",
    "lpep_dropoff_datetime",
    "store_and_fwd_flag",
    "RatecodeID",
    "PULocationID",
    "DOLocationID",
    "passenger_count",
    "trip_distance",
    "fare_amount",
    "extra",
    "mta_tax",
    "tip_amount",
    "tolls_amount",
    "ehail_fee",
    "improvement_surcharge",
    "total_amount",
    "payment_type",
    "trip_type",
    "congestion_surcharge",
]
COLUMNS = {"yellow": YELLOW, "green": GREEN}

ZONES = 265
LONGEST_SECONDS = 7200


def file_name(taxi: str, year: int, month: int) -> str:
    return f"{taxi}_tripdata_{year}-{month:02d}.csv"


def month_csv(taxi: str, year: int, month: int, *, rows: int = ROWS) -> bytes:
    """The CSV text of one month; no two rows have the same pick-up, so every row has its own key."""
    rng = random.Random(f"{taxi} {year}-{month}")
    start = _first_of(year, month)
    length = (_first_of(year + month // 12, month % 12 + 1) - start).total_seconds()
    columns = COLUMNS[taxi]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for number in range(rows):
        pickup = start + timedelta(seconds=int(length * number / rows))
        trip = _trip(rng, pickup)
        writer.writerow([trip[_plain(column)] for column in columns])
    return text.getvalue().encode()


def month_gz(taxi: str, year: int, month: int, *, rows: int = ROWS) -> bytes:
    """The same, compressed, without a time stamp inside."""
    return gzip.compress(month_csv(taxi, year, month, rows=rows), compresslevel=6, mtime=0)


def _first_of(year: int, month: int) -> datetime:
    return datetime.fromisoformat(f"{year}-{month:02d}-01T00:00:00")


def _plain(column: str) -> str:
    """Yellow and green name their times differently."""
    return column[1:] if column[1:5] == "pep_" else column


def _trip(rng: random.Random, pickup: datetime) -> dict[str, object]:
    seconds = rng.randrange(60, LONGEST_SECONDS)
    distance = round(seconds / 240 * rng.uniform(0.5, 1.5), 2)
    fare = round(2.5 + 2.5 * distance, 1)
    tip, tolls = round(fare * rng.choice((0, 0, 0.15, 0.2)), 2), rng.choice((0, 0, 0, 5.76))
    known = rng.random() > 0.01
    """Some vendors send nothing about the ride but its price."""
    return {
        "VendorID": rng.choice((1, 2)) if known else "",
        "pep_pickup_datetime": pickup.isoformat(" "),
        "pep_dropoff_datetime": (pickup + timedelta(seconds=seconds)).isoformat(" "),
        "passenger_count": rng.randrange(1, 7) if known else "",
        "trip_distance": distance,
        "RatecodeID": rng.choice((1, 1, 1, 2, 5)) if known else "",
        "store_and_fwd_flag": rng.choice("NNNY") if known else "",
        "PULocationID": rng.randrange(1, ZONES + 1),
        "DOLocationID": rng.randrange(1, ZONES + 1),
        "payment_type": rng.choice((1, 1, 2, 3)) if known else "",
        "fare_amount": fare,
        "extra": rng.choice((0, 0.5, 1)),
        "mta_tax": 0.5,
        "tip_amount": tip,
        "tolls_amount": tolls,
        "ehail_fee": "",
        "improvement_surcharge": 0.3,
        "total_amount": round(fare + tip + tolls + 0.8, 2),
        "trip_type": rng.choice((1, 2)) if known else "",
        "congestion_surcharge": rng.choice((0, 2.5)) if known else "",
    }


def main(arguments: list[str]) -> None:
    folder, taxi, year, month = arguments
    target = Path(folder) / f"{file_name(taxi, int(year), int(month))}.gz"
    target.write_bytes(month_gz(taxi, int(year), int(month)))


if __name__ == "__main__":
    main(sys.argv[1:])
