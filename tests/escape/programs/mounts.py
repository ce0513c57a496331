"""Mounts, by the old family and the new."""

# %% mount a file system
for kind, target in (("tmpfs", "/tmp"), ("proc", "/tmp"), ("sysfs", "/tmp"), ("devtmpfs", "/tmp"), ("overlay", WORK)):
    if libc.mount(b"none", target.encode(), kind.encode(), 0, None) == 0:
        print(FLAG)

# %% bind the outside
for source in ("/", OUTSIDE, f"/proc/{VICTIM}/root", "/proc/1/root"):
    if libc.mount(source.encode(), b"/tmp", None, 4096, None) == 0:
        print(FLAG)

# %% take a mask off
for path in (f"{WORK}/.env", f"{WORK}/.ssh", f"{WORK}/.git", "/etc/passwd", "/proc", "/tmp", WORK):
    for flags in (0, 1, 2, 8):
        if libc.umount2(path.encode(), flags) == 0:
            print(FLAG)

# %% make it writable again
for path in ("/", "/usr", "/dev", f"{WORK}/.git", f"{WORK}/notebook.ipynb", sys.prefix):
    if libc.mount(b"none", path.encode(), None, 32, None) == 0 or libc.mount(b"none", path.encode(), None, 32 | 4096, None) == 0:
        print(FLAG)

# %% change how mounts spread
for flags in (1 << 20, 1 << 18, 1 << 19, 1 << 17):
    if libc.mount(b"none", b"/", None, flags | 16384, None) == 0:
        print(FLAG)

# %% the new family
for number, arguments in ((428, (-100, b"/\0", 1)), (430, (b"tmpfs\0", 0)), (433, (-100, b"/\0", 0)),
                          (442, (-100, b"/\0", 0, bytes(32), 32)), (467, (-100, b"/\0", 1, bytes(32), 32)),
                          (429, (-100, b"/\0", -100, b"/tmp\0", 0)), (432, (0, 0, 0)), (431, (0, 6, 0, 0, 0))):
    if syscall(number, *arguments) >= 0:
        print(FLAG, number)

# %% look at mounts of others
for number in (457, 458, 470):
    buffer = ctypes.create_string_buffer(4096)
    request = struct.pack("=IIQQ", 24, 0, 0xFFFFFFFFFFFFFFFF, 0)
    if syscall(number, request, buffer, 512, 0) >= 0:
        print(FLAG, number)

# %% a new root
os.makedirs("/tmp/root/old", exist_ok=True)
for attempt in (lambda: syscall(155, b"/tmp/root\0", b"/tmp/root/old\0"), lambda: libc.chroot(b"/tmp/root"), lambda: libc.chroot(b"/")):
    if attempt() == 0:
        print(FLAG)

# %% fuse and loop devices
for command in (["fusermount3", "-u", "/tmp"], ["mount", "-o", "loop", "/tmp/x", "/mnt"], ["mount", "--bind", "/", "/tmp"],
                ["umount", "-l", WORK], ["losetup", "-f"], ["swapon", "/tmp/x"]):
    result = tried(lambda: subprocess.run(command, capture_output=True, timeout=2))
    if result is not None and result.returncode == 0:
        print(FLAG)

# %% files by handle
handle = struct.pack("=IiQ", 8, 1, 2) + bytes(120)
mounted = os.open("/", os.O_RDONLY)
if syscall(304, mounted, handle, os.O_RDONLY) >= 0:
    print(FLAG)
place = ctypes.c_int()
if syscall(303, -100, SECRET.encode() + b"\0", ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128)), ctypes.byref(place), 0) == 0:
    print(FLAG)
