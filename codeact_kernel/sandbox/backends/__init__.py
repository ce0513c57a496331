"""The ways to start a sandbox, strongest first.

Rule: a backend is two functions. `unfit(plan)` says in one clause why it cannot be tried here
(None: it can); `command(plan, wire)` gives the program to start. Whether it held is for the
self-test to say, not for the backend.
"""
