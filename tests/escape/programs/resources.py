"""More than one's share. Small multiples of small limits; each in a sandbox of its own."""

# %% memory of one process | alone
try:
    made = bytearray(512 << 20)
    print(FLAG)
except MemoryError:
    print("no")

# %% memory by mmap | alone
made = []
try:
    for _ in range(16):
        page = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.write(bytes(16 << 20))
        made.append(page)
    print(FLAG)
except (OSError, MemoryError):
    print("no")

# %% processes without end | alone
children = []
try:
    while len(children) < 200:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, 9)
if len(children) >= 190:
    print(FLAG)

# %% processes that fork themselves | alone
stop = time.monotonic() + 1
while time.monotonic() < stop:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)

# %% threads without end | alone
made = []
def sleeper():
    time.sleep(3)
try:
    while len(made) < 300:
        thread = threading.Thread(target=sleeper, daemon=True)
        thread.start()
        made.append(thread)
    print(FLAG)
except RuntimeError:
    print(len(made))

# %% one large file | alone
import signal as signals
signals.signal(signals.SIGXFSZ, signals.SIG_IGN)
with open(f"{WORK}/plain/large", "wb") as file:
    try:
        for _ in range(32):
            file.write(bytes(1 << 20))
            file.flush()
        print(FLAG)
    except OSError as error:
        print(error)
os.unlink(f"{WORK}/plain/large")

# %% temporary files | alone | not landlock
try:
    for number in range(64):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(1 << 20))
    print(FLAG)
except OSError as error:
    print(error)

# %% shared memory in files | alone
try:
    for number in range(64):
        with open(f"/dev/shm/{number}", "wb") as file:
            file.write(bytes(1 << 20))
    print(FLAG)
except OSError as error:
    print(error)

# %% descriptors without end | alone
made = []
try:
    while len(made) < 1000:
        made += os.pipe()
    print(FLAG)
except OSError as error:
    print(len(made))

# %% sparse and preallocated files | alone
handle = os.open(os.path.join(os.environ["TMPDIR"], "sparse"), os.O_CREAT | os.O_RDWR)
tried(os.truncate, handle, 1 << 40)
if os.fstat(handle).st_size >= 1 << 40:
    print(FLAG)
tried(os.posix_fallocate, handle, 0, 512 << 20)
if os.fstat(handle).st_blocks * 512 > 256 << 20:
    print(FLAG)

# %% a flood of output | alone
block = b"x" * 65536
for _ in range(300):
    os.write(1, block)

# %% a processor without end | alone
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
stop = time.monotonic() + 1
while time.monotonic() < stop:
    pass
