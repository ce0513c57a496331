"""Signals to the outside. Never one that could end what does not belong to the test."""

# %% terminate a process outside | bites
os.kill(VICTIM, signal.SIGTERM)

# %% stop a process outside | bites
for pid in (VICTIM,):
    os.kill(pid, signal.SIGUSR1)

# %% kill from a thread with tgkill | bites
print(syscall(234, VICTIM, VICTIM, int(signal.SIGUSR2)), syscall(200, VICTIM, int(signal.SIGUSR2)))

# %% queue a signal with a forged sender | bites
info = struct.pack("=iiiii", int(signal.SIGUSR1), 0, -1, OUTER, 0) + bytes(108)
print(syscall(129, VICTIM, int(signal.SIGUSR1), info), ctypes.get_errno())
print(syscall(297, VICTIM, VICTIM, int(signal.SIGUSR1), info))

# %% signal the group of the outside
os.killpg(os.getpgid(VICTIM), signal.SIGURG)

# %% ask whether a process is there | bites
os.kill(VICTIM, 0)
print(FLAG)

# %% signal through a descriptor of ones own tree
for pid in (1, os.getppid(), os.getpid()):
    handle = tried(os.pidfd_open, pid)
    if handle is not None:
        tried(signal.pidfd_send_signal, handle, signal.SIGURG)

# %% have the kernel signal for us | bites
ours, theirs = os.pipe()
fcntl.fcntl(ours, fcntl.F_SETOWN, VICTIM)
fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
fcntl.fcntl(ours, 10, int(signal.SIGUSR1))
os.write(theirs, b"x")
wait()

# %% a lease that signals somebody
path = os.path.join(os.environ["TMPDIR"], "leased")
handle = os.open(path, os.O_CREAT | os.O_RDWR)
tried(lambda: fcntl.fcntl(handle, fcntl.F_SETOWN, VICTIM))
tried(lambda: fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK))
pid = os.fork()
if pid == 0:
    tried(os.open, path, os.O_WRONLY | os.O_NONBLOCK)
    os._exit(0)
os.waitpid(pid, 0)

# %% watch a folder and signal somebody | bites
handle = os.open("/tmp", os.O_RDONLY)
fcntl.fcntl(handle, fcntl.F_SETOWN, VICTIM)
fcntl.fcntl(handle, 10, int(signal.SIGUSR2))
fcntl.fcntl(handle, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
open(f"/tmp/codeact-{NAP}", "x").close()
os.unlink(f"/tmp/codeact-{NAP}")
wait()

# %% a timer that signals somebody
event = struct.pack("=QiiI", 0, int(signal.SIGUSR1), 4, VICTIM) + bytes(44)
timer = ctypes.c_int()
print(syscall(222, 1, event, ctypes.byref(timer)), ctypes.get_errno())
wait(0.05)
