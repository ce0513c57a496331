"""New namespaces give new privileges; other namespaces are elsewhere."""

# %% unshare every kind
for flag in (0x10000000, 0x20000, 0x4000000, 0x8000000, 0x40000000, 0x20000000, 0x2000000, 0x80):
    if os.fork() == 0:
        if syscall(272, flag) == 0:
            os.write(1, FLAG.encode())
        os._exit(0)
    os.wait()

# %% a user namespace and root in it | bites
if os.fork() == 0:
    if syscall(272, 0x10000000) == 0:
        os.write(1, FLAG.encode())
    os._exit(0)
os.wait()

# %% clone into namespaces
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000):
    pid = syscall(56, flag | 17, 0, 0, 0, 0)
    if pid == 0:
        os.write(1, FLAG.encode())
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)

# %% clone3 into namespaces
for flag in (0x10000000, 0x20000, 0x40000000):
    arguments = struct.pack("=8Q", flag, 0, 0, 0, 17, 0, 0, 0)
    pid = syscall(435, arguments, len(arguments))
    if pid == 0:
        os.write(1, FLAG.encode())
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)

# %% clone with hidden bits
for flag in (0x10000000 | 1 << 32, 0x20000 | 1 << 33, 0x10000011 | 0xFFFFFFFF << 32):
    pid = syscall(56, flag, 0, 0, 0, 0)
    if pid == 0:
        if os.getuid() != int(os.environ.get("UID", os.getuid())):
            os.write(1, FLAG.encode())
        os.write(1, FLAG.encode())
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)

# %% join namespaces of others
for pid in (VICTIM, OUTER, 1, os.getppid()):
    for kind in ("user", "mnt", "net", "pid", "uts", "ipc", "cgroup"):
        handle = None
        try:
            handle = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
        except OSError:
            continue
        if syscall(308, handle, 0) == 0:
            print(FLAG)
handle = tried(os.pidfd_open, VICTIM)
if handle is not None and syscall(308, handle, 0x10000000) == 0:
    print(FLAG)

# %% unshare and nsenter
for command in (["unshare", "-Ur", "id"], ["nsenter", "-t", "1", "-m", "id"], ["nsenter", "-t", str(VICTIM), "-a", "id"],
                ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "id"], ["chroot", "/", "id"]):
    result = tried(lambda: subprocess.run(command, capture_output=True, text=True, timeout=2))
    if result is not None and "uid=0" in result.stdout and os.getuid() != 0:
        print(FLAG)

# %% the owner of a namespace
for kind in ("user", "mnt", "net"):
    try:
        handle = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY)
        for request in (0xB701, 0xB702):
            owner = libc.ioctl(handle, request)
            if owner >= 0 and syscall(308, owner, 0) == 0:
                print(FLAG)
    except OSError as error:
        print(error)

# %% write one's own maps
for name, text in (("setgroups", "deny"), ("uid_map", f"0 {os.getuid()} 1"), ("gid_map", f"0 {os.getgid()} 1")):
    tried(lambda: open(f"/proc/self/{name}", "w").write(text))
if os.getuid() == 0 and int(open("/proc/self/status").read().partition("CapEff:")[2].split()[0], 16):
    print(FLAG)
