"""THE JUPYTER FACE: relay, agent cell, steps, approvals, panel; and the composition root.

This file imports nothing: `python -m codeact_kernel.kernel` starts the sandbox before anything
heavier is imported.
"""
