"""The layers a sandboxed process puts around itself, one file each.

Rule: standard library only. The launcher imports these inside, before any wall stands and before
the environment's packages are importable.
"""
