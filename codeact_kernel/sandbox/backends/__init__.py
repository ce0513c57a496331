"""The ways to start a sandbox, strongest first.

Rule: a backend is a module with five functions. `unfit()` says in one clause why it cannot be tried here
(None: it can); `user(policy)` who the code will run as; `command(plan, launcher)` the program to
start, `orders(plan)` what the launcher in it is told; `shortcomings(plan)` what it is known not to
give. Whether it held is for the self-test to say.
"""
