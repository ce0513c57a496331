"""Where code runs: a process that holds nothing, sees little, and is checked from inside.

Rule: what is reported is what a self-test inside saw, never what was asked for; when a demand of
the policy is not met, the sandbox is refused.

Nothing is imported here: `codeact_kernel.sandbox.spawn` is on the start path.
"""
