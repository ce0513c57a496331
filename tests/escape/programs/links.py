"""Links that lead out, and what happens when somebody follows them."""

# %% a link that was there | bites
read(f"{WORK}/outward")

# %% a linked folder that was there | bites
read(f"{WORK}/plain/outward/secret.txt")

# %% write through a link | bites
open(f"{WORK}/plain/outward/victim.txt", "a").write("changed")

# %% a link made inside | bites
os.symlink(SECRET, "/tmp/codeact-link")
try:
    read("/tmp/codeact-link")
finally:
    os.unlink("/tmp/codeact-link")

# %% a link made in scratch and in the workspace
for place in (os.environ["HOME"], os.environ["TMPDIR"], f"{WORK}/plain"):
    tried(os.symlink, SECRET, f"{place}/codeact-link")
    tried(read, f"{place}/codeact-link")
    tried(os.unlink, f"{place}/codeact-link")

# %% a hard link to a file outside | bites
for place in (OUTSIDE, f"{WORK}/plain", "/tmp", os.environ["HOME"]):
    tried(os.link, SECRET, f"{place}/codeact-hard")
    tried(read, f"{place}/codeact-hard")

# %% a hard link through a descriptor | bites
handle = os.open(SECRET, os.O_PATH)
tried(lambda: os.link(f"/proc/self/fd/{handle}", f"{WORK}/plain/hard", follow_symlinks=True))
read(f"/proc/self/fd/{handle}")

# %% magic links of other processes
for pid in (1, 2, os.getppid(), VICTIM, OUTER):
    for name in ("exe", "cwd", "root"):
        try:
            where = os.readlink(f"/proc/{pid}/{name}")
            print(pid, where)
        except OSError:
            pass
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if pid != os.getpid():
                tried(lambda: print(os.read(os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK), 100)))
    except OSError:
        pass

# %% a race between a link and a folder
import itertools
base = f"{WORK}/plain/race"
os.makedirs(base, exist_ok=True)
tried(os.symlink, OUTSIDE, f"{base}/b")
tried(os.mkdir, f"{base}/a")
stop = time.monotonic() + 0.3
while time.monotonic() < stop:
    syscall(316, -100, f"{base}/a".encode(), -100, f"{base}/b".encode(), 2)
    for name in "ab":
        try:
            open(f"{base}/{name}/made", "x").close()
            os.unlink(f"{base}/{name}/made")
        except OSError:
            pass
shutil.rmtree(base)

# %% a very long and a circular link
tried(os.symlink, "a" * 4095, "/tmp/long")
tried(os.symlink, "/tmp/circle", "/tmp/circle")
tried(read, "/tmp/circle")
tried(read, "/proc/self" + "/root/proc/self" * 30 + "/root" + SECRET)

# %% an archive with names that lead out
import io
import tarfile
import zipfile
target = f"{WORK}/plain/unpacked"
os.makedirs(target, exist_ok=True)
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w") as archive:
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, OUTSIDE
    archive.addfile(link)
    for name in ("out/victim.txt", "../../../outside/victim.txt", TARGET):
        entry = tarfile.TarInfo(name)
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"new"))
buffer.seek(0)
archive = tarfile.open(fileobj=buffer)
for member in archive:
    try:
        archive.extract(member, target, **({"filter": "fully_trusted"} if sys.version_info >= (3, 12) else {}))
    except Exception as error:
        print(error)
shutil.rmtree(target, ignore_errors=True)
