"""Parts of the kernel with a history of holes: none of them may even be entered."""

# %% io_uring | bites
if syscall(425, 8, ctypes.create_string_buffer(120)) >= 0:
    print(FLAG)

# %% io_uring with a ring that is not there
for number, arguments in ((426, (3, 1, 0, 0, 0)), (427, (3, 0, 0, 0)), (427, (-1, 16, 0, 0))):
    syscall(number, *arguments)
    if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(FLAG, number)

# %% old asynchronous input and output | bites
context = ctypes.c_ulong()
if syscall(206, 8, ctypes.byref(context)) == 0:
    print(FLAG)

# %% bpf | bites
attributes = struct.pack("=5I", 1, 4, 4, 1, 0) + bytes(108)
if syscall(321, 0, attributes, len(attributes)) >= 0:
    print(FLAG)

# %% perf | bites
attributes = struct.pack("=IIQ", 1, 112, 0) + bytes(24) + struct.pack("=Q", 0b1100001) + bytes(64)
if syscall(298, attributes, 0, -1, -1, 0) >= 0:
    print(FLAG)

# %% userfaultfd | bites
if syscall(323, 1) >= 0:
    print(FLAG)

# %% the session's keys | bites
if syscall(250, 0, -3, 0) > 0 or syscall(250, 0, -4, 1) > 0:
    print(FLAG)

# %% add and ask for keys | bites
if syscall(248, b"user\0", b"codeact\0", b"x", 1, -2) > 0:
    print(FLAG)
if syscall(249, b"user\0", b"codeact\0", 0, 0) > 0:
    print(FLAG)

# %% keys of others
try:
    if open("/proc/keys").read():
        print(FLAG)
except OSError as error:
    print(error)

# %% shared memory of System V | bites
segment = syscall(29, 0x5EC2E7, 4096, 0o1666)
if segment >= 0:
    syscall(31, segment, 0, 0)
    print(FLAG)

# %% semaphores and queues of System V | bites
semaphore, queue = syscall(64, 0x5EC2E7, 1, 0o1666), syscall(68, 0x5EC2E7, 0o1666)
if semaphore >= 0 or queue >= 0:
    syscall(66, semaphore, 0, 0, 0)
    syscall(71, queue, 0, 0)
    print(FLAG)

# %% posix queues | bites
handle = syscall(240, f"codeact-{NAP}".encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)
if handle >= 0:
    syscall(241, f"codeact-{NAP}".encode())
    print(FLAG)

# %% watch the whole system | bites
if syscall(300, 0, 0) >= 0 or syscall(300, 0x200, 0) >= 0:
    print(FLAG)

# %% secret and shared pages
if syscall(447, 0) >= 0:
    print(FLAG)
ours, theirs = os.pipe()
page = mmap.mmap(-1, 4096)
if syscall(278, theirs, struct.pack("PN", ctypes.addressof(ctypes.c_char.from_buffer(page)), 4096), 1, 8) > 0:
    print(FLAG)

# %% modules and kexec
for number, arguments in ((175, (b"x", 1, b"\0")), (313, (0, b"\0", 0)), (176, (b"x\0", 0)), (246, (0, 0, 0, 0)), (320, (0, 0, 0, 0, 0))):
    syscall(number, *arguments)
    if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(FLAG, number)

# %% name and clock of the machine
for number, arguments in ((170, (b"hacked", 6)), (171, (b"hacked", 6)), (227, (99, struct.pack("=qq", 0, 0))), (305, (99, bytes(208))), (159, (0,))):
    syscall(number, *arguments)
    if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(FLAG, number)

# %% log of the kernel | bites
buffer = ctypes.create_string_buffer(4096)
if syscall(103, 3, buffer, 4096) >= 0 or syscall(103, 10, 0, 0) >= 0:
    print(FLAG)

# %% ports and descriptor tables
for number, arguments in ((172, (3,)), (173, (0, 8, 1)), (154, (1, bytes(16), 16)), (135, (0x0040000,)), (134, (b"/x\0",)),
                          (139, (3,)), (136, (0, bytes(64))), (163, (0,)), (169, (0, 0, 0, 0)), (153, ()), (167, (b"/x\0", 0))):
    ctypes.set_errno(0)
    syscall(number, *arguments)
    if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(FLAG, number, ctypes.get_errno())

# %% type into a terminal | bites
ours, theirs = os.openpty()
fcntl.fcntl(theirs, fcntl.F_GETFD)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(theirs, 0x540E, 0)
    if libc.ioctl(theirs, 0x5412, b"x") == 0:
        os.write(1, FLAG.encode())
    os._exit(0)
os.waitpid(pid, 0)

# %% type into a terminal with hidden bits
ours, theirs = tried(os.openpty) or (0, 0)
pid = os.fork()
if pid == 0:
    os.setsid()
    syscall(16, theirs, 0x540E, 0)
    for request in (0x5412 | 1 << 32, 0x5412 | 0xFFFFFFFF << 32, 0x541C | 1 << 40):
        if syscall(16, theirs, request, b"x") == 0:
            os.write(1, FLAG.encode())
    os._exit(0)
os.waitpid(pid, 0)
