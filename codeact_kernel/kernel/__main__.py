"""`python -m codeact_kernel.kernel -f CONNECTION_FILE`: the entry of the kernel spec."""

from __future__ import annotations

import sys

from codeact_kernel.kernel.start import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
