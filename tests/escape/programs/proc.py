"""/proc: other processes, the kernel's switches, one's own back doors."""

# %% environment of a process outside | bites
read(f"/proc/{VICTIM}/environ")
read(f"/proc/{OUTER}/environ")

# %% environment of the parents | bites
pid = os.getpid()
while pid != OUTER and pid > 1:
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
read(f"/proc/{pid}/environ")

# %% command line of a process outside | bites
read(f"/proc/{VICTIM}/cmdline")

# %% memory of a process outside | bites
for pid in (VICTIM, OUTER):
    with open(f"/proc/{pid}/maps") as maps:
        ranges = [line.split()[0].split("-") for line in maps if "rw-p" in line]
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end in ranges:
            try:
                memory.seek(int(start, 16))
                data = memory.read(int(end, 16) - int(start, 16))
            except (OSError, OverflowError):
                continue
            for name in (b"process-", b"outer-", b"environ-"):
                at = data.find(name)
                if at >= 0:
                    print(data[at:at + 60])

# %% memory of the launcher and the worker
for pid in (1, os.getppid()):
    for name in ("mem", "maps", "environ", "auxv", "syscall", "stack", "io", "pagemap"):
        tried(lambda: print(open(f"/proc/{pid}/{name}", "rb").read(1000)))

# %% the name of a process outside
open(f"/proc/{VICTIM}/comm", "w").write("changed")

# %% who is killed first when memory is short | bites
open(f"/proc/{VICTIM}/oom_score_adj", "w").write("1000")

# %% switches of the kernel
for name, value in (("kernel/core_pattern", "|/bin/sh"), ("kernel/hostname", "hacked"), ("kernel/domainname", "x"),
                    ("kernel/printk", "8"), ("vm/drop_caches", "0"), ("kernel/sysrq", "0"),
                    ("net/ipv4/ip_forward", "1"), ("kernel/modprobe", "/bin/false"), ("fs/suid_dumpable", "0"),
                    ("kernel/ns_last_pid", "100"), ("kernel/randomize_va_space", "2")):
    path = f"/proc/sys/{name}"
    try:
        os.close(os.open(path, os.O_WRONLY))
        print(FLAG, path)
    except OSError as error:
        print(error)

# %% the sysrq trigger and other writable doors
for path in ("/proc/sysrq-trigger", "/proc/1/oom_score_adj", "/proc/kcore", "/proc/kmsg", "/proc/self/loginuid",
             "/proc/self/uid_map", "/proc/self/setgroups", "/proc/self/projid_map", "/proc/acpi", "/proc/scsi/scsi"):
    tried(lambda: open(path, "rb").read(100) and path in ("/proc/kcore", "/proc/kmsg") and print(FLAG))
for path in ("/proc/sysrq-trigger", "/proc/kcore"):
    try:
        os.close(os.open(path, os.O_WRONLY))
        print(FLAG, path)
    except OSError as error:
        print(error)

# %% sysfs, cgroups, debugfs
for path in ("/sys/fs/cgroup", "/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing", "/sys/fs/bpf",
             "/sys/class/net", "/sys/devices", "/sys/firmware", "/sys/module"):
    if tried(os.listdir, path):
        print(FLAG, path)

# %% one's own back doors
for path in ("/proc/self/mem", "/proc/self/clear_refs", "/proc/self/attr/current", "/proc/self/timerslack_ns",
             "/proc/self/task/%d/mem" % threading.get_native_id()):
    tried(lambda: os.close(os.open(path, os.O_RDWR)))
print(open("/proc/self/status").read())
status = open("/proc/self/status").read()
if "CapEff:\t0000000000000000" not in status or "NoNewPrivs:\t1" not in status or "Seccomp:\t2" not in status:
    print(FLAG)

# %% addresses of the kernel
try:
    lines = open("/proc/kallsyms").read(4000).splitlines()
    if any(int(line.split()[0], 16) for line in lines):
        print(FLAG)
except OSError as error:
    print(error)

# %% mounts and disks of the outside
for name in ("mounts", "mountinfo", "mountstats"):
    try:
        text = open(f"/proc/self/{name}").read()
    except OSError as error:
        print(error)
        continue
    print(text)
    if "codeact-canaries" in text.replace(WORK, "").replace(os.path.dirname(WORK), ""):
        print(FLAG)

# %% network tables of the outside | bites
for name in ("unix", "tcp", "tcp6", "udp"):
    try:
        text = open(f"/proc/net/{name}").read()
    except OSError as error:
        print(error)
        continue
    if os.path.basename(os.path.dirname(OUTSIDE)) in text or f":{PORT:04X}" in text:
        print(FLAG)
