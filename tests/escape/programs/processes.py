"""Processes outside: seen, opened, slowed down, stolen from."""

# %% list processes outside | bites
if VICTIM in pids() and "pause" in open(f"/proc/{VICTIM}/cmdline").read():
    print(FLAG)

# %% open a process outside | bites
handle = os.pidfd_open(VICTIM)
signal.pidfd_send_signal(handle, signal.SIGTERM)

# %% take a descriptor of a process outside | bites
for pid in (VICTIM, OUTER):
    handle = os.pidfd_open(pid)
    for fd in range(8):
        got = syscall(438, handle, fd, 0)
        if got >= 0:
            print(FLAG)

# %% take a descriptor of the worker and the launcher
for pid in (1, os.getppid()):
    handle = tried(os.pidfd_open, pid)
    if handle is None:
        continue
    for fd in range(16):
        if syscall(438, handle, fd, 0) >= 0:
            print(FLAG)

# %% read memory of a process outside | bites
buffer = ctypes.create_string_buffer(64)
found = False
with open(f"/proc/{VICTIM}/maps") as maps:
    start = int(next(line for line in maps if "rw-p" in line).split("-")[0], 16)
local = struct.pack("PN", ctypes.addressof(buffer), 64)
remote = struct.pack("PN", start, 64)
if syscall(310, VICTIM, local, 1, remote, 1, 0) == 64:
    print(FLAG)

# %% slow a process down | bites
os.setpriority(os.PRIO_PROCESS, VICTIM, 15)

# %% slow down the group of the outside
tried(lambda: os.setpriority(os.PRIO_PGRP, os.getpgid(VICTIM), 3))

# %% limits of a process outside | bites
resource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (32, 32))

# %% processors of a process outside
os.sched_setaffinity(VICTIM, {0})
print(os.sched_getaffinity(VICTIM))

# %% session and group of a process outside
tried(os.setpgid, VICTIM, os.getpid())
tried(lambda: print(os.getsid(VICTIM)))
tried(os.sched_setscheduler, VICTIM, os.SCHED_IDLE, os.sched_param(0))

# %% compare with a process outside | bites
for kind in range(7):
    if syscall(312, os.getpid(), VICTIM, kind, 0, 0) >= 0:
        print(FLAG)

# %% its input and output priority
print(syscall(251, 1, VICTIM, (3 << 13)))
if syscall(252, 1, VICTIM) == 3 << 13:
    print(FLAG)

# %% advise about the memory of others
handle = tried(os.pidfd_open, VICTIM)
if handle is not None:
    for number in (440, 448):
        if syscall(number, handle, struct.pack("PN", 0, 0), 1, 21, 0) >= 0:
            print(FLAG)
if syscall(279, VICTIM, 0, 0, 0, 0, 0) >= 0 or syscall(256, VICTIM, 8, b"\1" * 8, b"\1" * 8) >= 0:
    print(FLAG)
