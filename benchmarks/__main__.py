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


def page(quick: bool) -> Iterator[Row | Figure]:
    """The rows that want a browser; what drives it is here only with the tests."""
    from benchmarks import page

    return page.rows(quick)


ALL = {**ROWS, "page": page}
"""Those of `ROWS`, and what is measured only when it is named: it takes minutes."""


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: only that it works")
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"of {', '.join(ROWS)}, all of them when none is named; or page",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(ALL):
        parser.error(f"no row {sorted(unknown)[0]!r}; there are {', '.join(ALL)}")
    with specs():
        print(HEAD)
        for name in arguments.rows or ROWS:
            for row in ALL[name](arguments.quick):
                print(line(row), flush=True)


main()
