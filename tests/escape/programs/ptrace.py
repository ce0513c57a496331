"""ptrace, and what does the same in other ways."""

# %% attach to a process outside
for request in (16, 0x4206):
    if syscall(101, request, VICTIM, 0, 0) == 0:
        print(FLAG)

# %% attach to the worker and the launcher
for pid in (os.getppid(), 1):
    for request in (16, 0x4206):
        if syscall(101, request, pid, 0, 0) == 0:
            print(FLAG)

# %% trace oneself | bites
if os.fork() == 0:
    if syscall(101, 0, 0, 0, 0) == 0:
        os.write(1, FLAG.encode())
    os._exit(0)
os.wait()

# %% seize a child and rewrite it
pid = os.fork()
if pid == 0:
    time.sleep(2)
    os._exit(0)
if syscall(101, 0x4206, pid, 0, 0) == 0:
    print(FLAG)
os.kill(pid, 9)

# %% write memory of another process | bites
pid = os.fork()
if pid == 0:
    time.sleep(1)
    os._exit(0)
buffer = ctypes.create_string_buffer(b"x" * 8)
spot = struct.pack("PN", ctypes.addressof(buffer), 8)
if syscall(311, pid, spot, 1, spot, 1, 0) == 8:
    print(FLAG)
os.kill(pid, 9)

# %% invite everybody to trace us
print(libc.prctl(0x59616D61, -1, 0, 0, 0))
if syscall(101, 16, VICTIM, 0, 0) == 0:
    print(FLAG)

# %% gdb and strace
for command in (["strace", "-f", "-p", str(VICTIM)], ["gdb", "-p", str(VICTIM), "-batch"], ["perf", "stat", "-p", str(VICTIM)]):
    tried(lambda: subprocess.run(command, timeout=1))
