"""What runs inside the sandbox: the supervisor, and the IPython kernel it forks.

Rule: this room imports `codeact_kernel.wire`, IPython, ipykernel and the standard library, and no
other room. Nothing in it is trusted by the outer kernel, and nothing in it needs to be.
"""
