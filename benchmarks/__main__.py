"""`python -m benchmarks [--quick] [ROW ...]`: measure, and print each row as it is done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks import checkpoints, loop, memory, output, round_trip, standby, start
from benchmarks.kernels import specs
from benchmarks.rows import HEAD, Figure, Row, line

ROWS: dict[str, Callable[[bool], Iterator[Row | Figure]]] = {
    "round_trip": round_trip.rows,
    "start": start.rows,
    "output": output.rows,
    "standby": standby.rows,
    "memory": memory.rows,
    "checkpoints": checkpoints.rows,
    "loop": loop.rows,
}


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: only that it works")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all")
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(ROWS):
        parser.error(f"no row {sorted(unknown)[0]!r}; there are {', '.join(ROWS)}")
    with specs():
        print(HEAD)
        for name in arguments.rows or ROWS:
            for row in ROWS[name](arguments.quick):
                print(line(row), flush=True)


main()
