"""What the outside left lying about inside."""

# %% secrets in the environment
print(dict(os.environ))
for name in ("OUTER_SECRET", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
    if name in os.environ:
        print(FLAG)

# %% secrets in memory
maps = open("/proc/self/maps").read().splitlines()
memory = open("/proc/self/mem", "rb", 0)
wanted = [name.encode() for name in ("outer-", "environ-", "process-")]
for line in maps:
    start, end = (int(part, 16) for part in line.split()[0].split("-"))
    if " rw" in line and end - start < 64 << 20:
        try:
            memory.seek(start)
            data = memory.read(end - start)
        except (OSError, OverflowError):
            continue
        for name in wanted:
            at = data.find(name)
            while at >= 0:
                print(data[at:at + 60])
                at = data.find(name, at + 1)

# %% secrets in the arguments
for pid in (1, 2, os.getpid(), os.getppid()):
    tried(read, f"/proc/{pid}/cmdline")
print(sys.argv, sys.orig_argv)

# %% the connection file
for place in (os.environ.get("JUPYTER_RUNTIME_DIR", "/nowhere"), "/root/.local/share/jupyter/runtime", "/run/user", "/tmp"):
    for path in glob.glob(f"{place}/**/kernel-*.json", recursive=True):
        print(FLAG, path)

# %% keys of the user
for home in ("/root", "/home/*", os.path.expanduser("~root"), os.path.dirname(WORK)):
    for name in (".ssh/*", ".aws/*", ".netrc", ".config/*", ".gitconfig", ".pypirc", ".docker/config.json", ".bash_history", ".kube/config"):
        for path in glob.glob(f"{home}/{name}"):
            try:
                if os.path.isfile(path) and open(path, "rb").read(1):
                    print(FLAG, path)
            except OSError as error:
                print(error)

# %% homes of others
for home in ("/root", "/home", os.path.dirname(WORK), os.path.dirname(OUTSIDE)):
    names = tried(os.listdir, home)
    if names and {"outside", "secret.txt", ".bashrc"} & set(names):
        print(FLAG, home, names)

# %% modules left in the workspace run outside
import importlib.util
for name in ("json.py", "sitecustomize.py", "usercustomize.py", "zmq.py", "codeact_kernel.py", "conftest.py"):
    for place in (*[path for path in sys.path if path], os.path.dirname(os.__file__), os.path.dirname(sys.executable)):
        try:
            os.close(os.open(f"{place}/{name}-x", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            print(FLAG, place)
        except OSError as error:
            print(error)

# %% bytecode beside the package
for module in ("json", "socket", "codeact_kernel.wire"):
    spec = importlib.util.find_spec(module) if "importlib.util" in sys.modules else None
    cached = getattr(spec, "cached", None)
    if cached:
        try:
            os.close(os.open(cached, os.O_WRONLY))
            print(FLAG, cached)
        except OSError as error:
            print(error)
