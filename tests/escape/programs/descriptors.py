"""Descriptors that were left open, and what can be done with them."""

# %% what was inherited
for fd in range(0, 256):
    try:
        where = os.readlink(f"/proc/self/fd/{fd}")
        print(fd, where)
        if where.startswith("/") and not where.startswith(("/dev/null", "/proc", "/scratch")):
            print(os.read(fd, 1000))
    except OSError:
        pass

# %% folders that were left open
for fd in range(0, 256):
    for up in ("..", "../..", SECRET.lstrip("/")):
        try:
            handle = os.open(up, os.O_RDONLY, dir_fd=fd)
            read(f"/proc/self/fd/{handle}{SECRET}")
        except OSError:
            pass

# %% reopen what came
for fd in range(0, 64):
    for flags in (os.O_RDWR, os.O_WRONLY | os.O_APPEND):
        try:
            handle = os.open(f"/proc/self/fd/{fd}", flags)
            where = os.readlink(f"/proc/self/fd/{handle}")
            if where.startswith("/") and not where.startswith("/dev/null"):
                print(FLAG, where)
        except OSError:
            pass

# %% the worker's descriptors
for pid in (1, 2, os.getppid()):
    for fd in range(0, 64):
        try:
            where = os.readlink(f"/proc/{pid}/fd/{fd}")
            print(pid, fd, where)
            handle = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
            print(os.read(handle, 1000))
        except OSError:
            pass

# %% pass a descriptor to whoever reads the wire | bites
handle = os.open("/", os.O_RDONLY)
for fd in range(3, 64):
    try:
        made = socket.socket(fileno=fd)
        socket.send_fds(made, [b""], [handle])
        made.detach()
    except OSError:
        pass
made = socket.socket(socket.AF_UNIX)
made.connect(SOCKET)
socket.send_fds(made, [b"x"], [handle])

# %% ask the wire for descriptors
for fd in range(3, 64):
    try:
        made = socket.socket(fileno=fd)
    except OSError:
        continue
    made.settimeout(0.1)
    result = tried(lambda: socket.recv_fds(made, 1, 16, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    if result and result[1]:
        print(FLAG)
    made.detach()

# %% who is at the other end
for fd in range(3, 64):
    try:
        made = socket.socket(fileno=fd)
        pid = struct.unpack("=iII", made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        print("peer", pid)
        handle = tried(lambda: made.getsockopt(socket.SOL_SOCKET, 77, 4))
        if handle:
            peer = struct.unpack("=i", handle)[0]
            if tried(signal.pidfd_send_signal, peer, signal.SIGURG) is None and syscall(424, peer, int(signal.SIGURG), 0, 0) == 0 and pid == OUTER:
                print(FLAG)
        made.detach()
    except OSError:
        pass

# %% locks on files of the outside | bites
handle = os.open(SECRET, os.O_RDONLY)
fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
print(FLAG)

# %% execute what is read only
for path in (SECRET, f"{WORK}/data.csv"):
    tried(os.execv, path, ["x"])
