"""codeact_kernel: the notebook in which an agent works.

This file imports nothing: the sandbox imports the package too, and pays for every line of it.
"""

__version__ = "0.1.0"
