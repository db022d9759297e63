"""Write a CSV of customers who never were: 20 000 records of 30 columns, an id and whether they bought.

python examples/customers.py FILE
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

RECORDS = 20_000
REGIONS = ("north", "east", "south", "west")


def main() -> int:
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} FILE", file=sys.stderr)
        return 2
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = random.Random(20_000)
    visits = [f"visits_{week:02}" for week in range(1, 28)]
    weights = [draw.gauss(0, 1) for _ in visits]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["customer", "age", "income", "region", *visits, "bought"])
        for number in range(RECORDS):
            age, income, region = draw.randint(18, 95), draw.randint(0, 150_000), draw.choice(REGIONS)
            weeks = [draw.randint(0, 20) for _ in visits]
            score = sum(weight * (visit - 10) / 10 for weight, visit in zip(weights, weeks, strict=True))
            score += (income - 75_000) / 50_000 + (1 if region == "north" else 0) + draw.gauss(0, 1)
            table.writerow([f"c{number:05}", age, income, region, *weeks, "yes" if score > 0 else "no"])
    print(f"wrote {path}: {RECORDS} records")
    return 0


if __name__ == "__main__":
    sys.exit(main())
