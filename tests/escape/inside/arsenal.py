"""What hostile programs have at hand: libc, numbers, shortcuts. Standard library only."""

import array
import ctypes
import errno
import fcntl
import glob
import mmap
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
FLAG = ""
"""Printed by a program that got what it must not get; its value is made for each run."""


def syscall(number, *arguments):
    """The raw result; -1 and errno as libc has it."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return libc.syscall(ctypes.c_long(number), *wide)


def tried(attempt, *arguments):
    """Go on, whatever happens."""
    try:
        result = attempt(*arguments)
        print(repr(result)[:5000])
        return result
    except BaseException as error:
        print(type(error).__name__, error)
        return None


def read(path):
    """The whole file, printed."""
    with open(path, "rb") as file:
        print(file.read(200_000).decode("latin-1"))


def pids():
    """All that can be listed, or else the likely ones."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return list(range(1, 70_000))


def wait(seconds=0.3):
    time.sleep(seconds)
