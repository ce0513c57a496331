"""The way out: a proxy of our own, outside, that lets a sandbox reach the hosts its user named.

Rule: off means absent. Nothing here is imported by a kernel without an allowlist, whose sandbox
cannot open a socket. With one, the sandbox still has no route: its own loopback has one listener,
and that listener is ours.
"""
