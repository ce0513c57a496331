"""`python -m codeact_kernel` is the command `codeact`."""

import sys

from codeact_kernel.cli import main

sys.exit(main())
