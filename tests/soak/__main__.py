"""`scripts/soak`: a kernel used for a long time; a table of what grew and how fast it answered."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import LONG, SHORT, soak
from tests.soak.table import HEAD


def main() -> int:
    """0 when every row is within its bound."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a little of everything")
    arguments = parser.parse_args()
    sys.stdout.write(f"{HEAD}\n")
    fits = True
    with tempfile.TemporaryDirectory(prefix="codeact-soak-") as folder:
        for row in soak(Path(folder), SHORT if arguments.quick else LONG):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            fits = fits and row.fits
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
