"""Who is listened to: what was asked for last, and nobody who has been closed."""

from __future__ import annotations

import os

from codeact_kernel.worker.interest import READ, WRITE, Interest


def test_the_last_wish_counts() -> None:
    """A descriptor is heard as long as it is wanted, for what it is wanted."""
    interest = Interest()
    read, write = os.pipe()
    interest.want({read: READ, write: WRITE})
    assert interest.wait(0) == {write: WRITE}
    os.write(write, b"x")
    interest.want({read: READ, write: 0})
    assert interest.wait(0) == {read: READ}
    interest.want({write: WRITE})
    assert interest.wait(0) == {write: WRITE}
    for fd in (read, write):
        interest.forget(fd)
        os.close(fd)


def test_a_number_that_is_used_again_is_another_descriptor() -> None:
    """The same wish after a descriptor was forgotten is about the new one."""
    interest = Interest()
    read, write = os.pipe()
    interest.want({read: READ})
    interest.forget(read)
    os.close(read)
    os.close(write)
    again, write = os.pipe()
    assert again == read
    interest.want({read: READ})
    os.write(write, b"x")
    assert interest.wait(0) == {read: READ}
    for fd in (again, write):
        os.close(fd)


def test_a_hang_up_is_heard_by_who_reads() -> None:
    """The end of a stream wakes whoever wanted to read it."""
    interest = Interest()
    read, write = os.pipe()
    interest.want({read: READ})
    os.close(write)
    assert interest.wait(0)[read] & READ
    interest.forget(read)
    os.close(read)
