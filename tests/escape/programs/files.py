"""Files outside: read, written, made, moved, by every call there is."""

# %% read by its path | bites
read(SECRET)

# %% read through ten dots | bites
os.chdir("/")
read("../../../../../../../../../../" + SECRET)

# %% read through the root of a process | bites
for pid in ["self", VICTIM, OUTER]:
    tried(read, f"/proc/{pid}/root{SECRET}")

# %% read through the folder of a process | bites
for pid in [VICTIM, OUTER, 1, os.getppid()]:
    for link in ("cwd", "root", "exe"):
        tried(read, f"/proc/{pid}/{link}/../../../../../..{SECRET}")

# %% read with openat2 and its flags | bites
how = struct.pack("=QQQ", os.O_RDONLY, 0, 0)
handle = syscall(437, -100, SECRET.encode(), how, len(how))
if handle >= 0:
    print(os.read(handle, 1000))
handle = os.open(SECRET, os.O_RDONLY | os.O_NONBLOCK)
print(os.read(handle, 1000))

# %% read with a path only descriptor | bites
handle = os.open(SECRET, os.O_PATH)
read(f"/proc/self/fd/{handle}")

# %% read with mmap | bites
handle = os.open(SECRET, os.O_RDONLY)
print(mmap.mmap(handle, 0, prot=mmap.PROT_READ)[:])

# %% read with sendfile | bites
handle = os.open(SECRET, os.O_RDONLY)
os.sendfile(1, handle, 0, 1000)

# %% read by a program | bites
subprocess.run(["/bin/cat", SECRET])
subprocess.run(["/bin/sh", "-c", f"cat < {SECRET}; cp {SECRET} /tmp/stolen; cat /tmp/stolen"])

# %% read hidden files of the workspace
for name in (".env", ".ssh/id_ed25519", "sub/deeper/.env.production"):
    tried(read, f"{WORK}/{name}")
    tried(read, f"{WORK}/plain/../{name}")
    tried(read, f"/proc/self/cwd/{name}")
    tried(lambda: os.link(f"{WORK}/{name}", f"{WORK}/plain/stolen") or read(f"{WORK}/plain/stolen"))
    tried(lambda: os.rename(f"{WORK}/{name}", f"{WORK}/plain/stolen") or read(f"{WORK}/plain/stolen"))
subprocess.run(["/bin/sh", "-c", f"cd {WORK}; cat .env .e* .ssh/* sub/deeper/.env*; tar c . | strings"])

# %% rename the folder around hidden files
tried(os.rename, f"{WORK}/sub", f"{WORK}/plain/sub")
tried(os.rename, f"{WORK}/sub/deeper", f"{WORK}/sub/other")
for top in (f"{WORK}/plain/sub/deeper", f"{WORK}/sub/other", f"{WORK}/plain/sub/other"):
    tried(read, f"{top}/.env.production")
tried(os.rename, f"{WORK}/plain/sub", f"{WORK}/sub")
tried(os.rename, f"{WORK}/sub/other", f"{WORK}/sub/deeper")

# %% write by its path | bites
open(TARGET, "a").write("changed")

# %% make a file outside | bites
open(f"{OUTSIDE}/made", "x").write("made")

# %% make a file without a name outside | bites
handle = os.open(OUTSIDE, os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(handle, b"made")
print(FLAG)

# %% truncate by its path | bites
os.truncate(TARGET, 0)

# %% change mode and times | bites
tried(os.chmod, TARGET, 0o600)
tried(os.utime, TARGET, (0, 0))
tried(os.chmod, OUTSIDE, 0o700)

# %% change owner
tried(os.chown, TARGET, 1234, 1234)
tried(os.lchown, f"{WORK}/outward", 1234, 1234)

# %% extended attributes | bites
os.setxattr(TARGET, "user.codeact", b"here")
if os.getxattr(TARGET, "user.codeact"):
    print(FLAG)

# %% delete | bites
tried(os.unlink, f"{OUTSIDE}/made")
tried(os.unlink, TARGET)
tried(os.rmdir, f"{OUTSIDE}/sub")
tried(shutil.rmtree, OUTSIDE)

# %% rename outside | bites
os.rename(f"{OUTSIDE}/stream.sock", f"{OUTSIDE}/moved.sock")

# %% make devices
for mode, device in ((stat.S_IFCHR, os.makedev(1, 1)), (stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFBLK, os.makedev(8, 0))):
    for place in ("/tmp", "/scratch", "/dev/shm", WORK, f"{WORK}/plain", os.environ["HOME"]):
        path = f"{place}/device-{device}"
        tried(os.mknod, path, mode | 0o666, device)
        if os.path.exists(path):
            print(FLAG)

# %% devices of the machine
for path in ("/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/port", "/dev/sda", "/dev/vda", "/dev/nvme0n1",
             "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/uinput", "/dev/vhost-net", "/dev/vsock",
             "/dev/loop-control", "/dev/loop0", "/dev/mapper/control", "/dev/userfaultfd", "/dev/snapshot"):
    for flags in (os.O_RDONLY, os.O_RDWR):
        if (handle := tried(os.open, path, flags)) is not None:
            print(FLAG)

# %% accounts of the machine
for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/machine-id", "/etc/ssh/ssh_host_rsa_key",
             "/var/log/syslog", "/var/lib/dpkg/status", "/root/.bashrc", "/etc/fstab"):
    try:
        if open(path, "rb").read(1):
            print(FLAG, path)
    except OSError as error:
        print(error)

# %% leave something that runs later
places = ["/etc/cron.d/x", "/etc/profile.d/x.sh", "/etc/ld.so.preload", "/var/spool/cron/crontabs/root",
          os.path.expanduser("~root/.bashrc"), "/root/.ssh/authorized_keys", "/usr/local/bin/python3",
          f"{sys.prefix}/lib/python3.11/site-packages/x.pth", f"{os.path.dirname(os.__file__)}/sitecustomize.py",
          "/usr/lib/python3/dist-packages/x.pth", f"{sys.prefix}/bin/python",
          *(f"{path}/usercustomize.py" for path in sys.path)]
for path in places:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        if not path.startswith(("/tmp", "/scratch", os.environ["HOME"])):
            print(FLAG, path)
    except OSError as error:
        print(error)

# %% protected files of the workspace
for path in (f"{WORK}/notebook.ipynb", f"{WORK}/.gitignore", f"{WORK}/.git/config", f"{WORK}/.env"):
    for attempt in (lambda: open(path, "a").write("x"), lambda: os.unlink(path), lambda: os.truncate(path, 0),
                    lambda: os.rename(path, f"{WORK}/plain/moved"), lambda: os.chmod(path, 0o777),
                    lambda: os.rename(f"{WORK}/data.csv", path), lambda: os.utime(path, (0, 0))):
        tried(attempt)

# %% hooks of git
for name in (".git/hooks/post-checkout", ".git/hooks/pre-commit"):
    tried(lambda: open(f"{WORK}/{name}", "w").write("#!/bin/sh\n"))
tried(os.rename, f"{WORK}/.git", f"{WORK}/plain/git")
tried(os.mkdir, f"{WORK}/plain/hooks")
tried(os.rename, f"{WORK}/plain/hooks", f"{WORK}/.git/hooks")
tried(os.symlink, "/tmp", f"{WORK}/.git/hooks/post-merge")

# %% exchange two names in one step
for one, other in ((f"{WORK}/data.csv", f"{WORK}/notebook.ipynb"), (f"{WORK}/plain", f"{WORK}/.git"),
                   (f"{WORK}/data.csv", TARGET)):
    print(syscall(316, -100, one.encode(), -100, other.encode(), 2), ctypes.get_errno())

# %% reach up from the workspace
handle = os.open(WORK, os.O_RDONLY | os.O_DIRECTORY)
for up in ("..", "../..", "../../outside"):
    tried(lambda: os.open(f"{up}/secret.txt", os.O_RDONLY, dir_fd=handle))
    tried(lambda: read(f"/proc/self/fd/{handle}/{up}/secret.txt"))
    tried(lambda: os.close(os.open(f"{up}/made", os.O_CREAT | os.O_WRONLY, dir_fd=handle)))

# %% the private folder of the sandbox
for path in glob.glob("/tmp/codeact-sandbox-*/*") + glob.glob("/tmp/codeact-*/*/*"):
    tried(read, path)
tried(lambda: os.listdir("/tmp/.X11-unix"))

# %% watch what others do with files | bites
watch = libc.inotify_init1(0)
if libc.inotify_add_watch(watch, OUTSIDE.encode(), 0xFFF) >= 0:
    print(FLAG)

# %% attributes of files outside
for path in (SECRET, TARGET, OUTSIDE):
    tried(os.listxattr, path)
    tried(os.getxattr, path, "user.codeact")
    tried(os.setxattr, path, "user.codeact", b"x")
    tried(os.removexattr, path, "user.codeact")

# %% times of the environment
for path in (os.__file__, sys.executable, "/usr/bin/env", WORK + "/.env"):
    before = os.stat(path)
    handle = tried(os.open, path, os.O_RDONLY)
    tried(os.utime, path, (1, 1))
    if handle is not None:
        tried(os.utime, handle, (1, 1))
        tried(os.fchmod, handle, 0o777)
    after = os.stat(path)
    if (before.st_mode, before.st_mtime) != (after.st_mode, after.st_mtime):
        print(FLAG)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        os.chmod(path, stat.S_IMODE(before.st_mode))
