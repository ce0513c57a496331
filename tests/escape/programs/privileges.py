"""More rights than one has."""

# %% become root
for attempt in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]), lambda: os.setgid(0),
                lambda: syscall(122, 0), lambda: os.initgroups("root", 0)):
    tried(attempt)
if os.getuid() == 0 and int(open("/proc/self/status").read().partition("CapEff:")[2].split()[0], 16):
    print(FLAG)
tried(read, "/etc/shadow")

# %% take capabilities
header = struct.pack("=Ii", 0x20080522, 0)
syscall(126, header, struct.pack("=6I", *[0xFFFFFFFF] * 6))
for number in range(41):
    libc.prctl(47, 2, number, 0, 0)
if int(open("/proc/self/status").read().partition("CapEff:")[2].split()[0], 16):
    print(FLAG)

# %% set-user-ID programs
for command in (["su", "-c", "id"], ["sudo", "-n", "id"], ["mount"], ["passwd", "-S"], ["newgrp", "root"], ["pkexec", "id"], ["ping", "-V"]):
    result = tried(lambda: subprocess.run(command, capture_output=True, text=True, timeout=2, stdin=subprocess.DEVNULL))
    if result is not None and "uid=0" in result.stdout and os.getuid() != 0:
        print(FLAG)

# %% leave a set-user-ID program
source = "/bin/true"
for place in (f"{WORK}/plain", os.environ["TMPDIR"], "/tmp", OUTSIDE):
    path = f"{place}/program"
    for attempt in (lambda: shutil.copy(source, path), lambda: os.chmod(path, 0o6755), lambda: os.chmod(path, 0o4755),
                    lambda: os.close(os.open(path + "2", os.O_CREAT | os.O_WRONLY, 0o4755)), lambda: os.mkdir(path + "3", 0o2777),
                    lambda: syscall(452, -100, path.encode(), 0o4755, 0), lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o2755),
                    lambda: syscall(90, path.encode(), 0o4755 | 1 << 32), lambda: os.setxattr(path, "security.capability", b"\1\0\0\2" + bytes(16))):
        tried(attempt)
    for each in (path, path + "2"):
        if os.path.exists(each) and os.stat(each).st_mode & 0o6000:
            print(FLAG)
        tried(os.unlink, each)
    tried(os.rmdir, path + "3")

# %% real time
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    if tried(lambda: os.sched_setscheduler(0, policy, os.sched_param(50)) or True):
        print(FLAG)
tried(os.nice, -10)
if os.getpriority(os.PRIO_PROCESS, 0) < 0:
    print(FLAG)

# %% raise one's limits
for name in ("DATA", "NPROC", "FSIZE", "NOFILE", "CORE"):
    kind = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(kind)[1]
    tried(resource.setrlimit, kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    tried(resource.setrlimit, kind, (hard + 1, hard + 1))
    if resource.getrlimit(kind)[1] != hard:
        print(FLAG)

# %% lock memory
made = mmap.mmap(-1, 64 << 20)
if libc.mlockall(3) == 0 and int(open("/proc/self/status").read().partition("VmLck:")[2].split()[0]) > 16384:
    print(FLAG)

# %% dump core somewhere
print(open("/proc/self/limits").read())
tried(resource.setrlimit, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
libc.prctl(4, 1, 0, 0, 0)
pid = os.fork()
if pid == 0:
    os.chdir(f"{WORK}/plain")
    os.abort()
_, status = os.waitpid(pid, 0)
if os.WCOREDUMP(status):
    print(FLAG)
