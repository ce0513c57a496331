"""Every way to reach somebody outside."""

# %% tcp to the loopback | bites
socket.create_connection(("127.0.0.1", PORT), 1)

# %% tcp without waiting | bites
made = socket.socket()
made.setblocking(False)
tried(made.connect, ("127.0.0.1", PORT))
wait()

# %% tcp with fast open
made = socket.socket()
tried(made.sendto, b"hello", socket.MSG_FASTOPEN, ("127.0.0.1", PORT))

# %% tcp over ipv6 | bites
if PORT6 == 1:
    print(FLAG)
socket.create_connection(("::1", PORT6), 1) if PORT6 != 1 else None

# %% tcp by mapped and odd addresses | bites
for address in ("0.0.0.0", "127.1", "localhost", "127.255.255.254", "2130706433", "0x7f.1"):
    tried(lambda: socket.create_connection((address, PORT), 1))

# %% udp | bites
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", UDP))

# %% many datagrams in one call | bites
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.connect(("127.0.0.1", UDP))
made.sendmsg([b"hello"])

# %% udp lite, sctp, mptcp, dccp
for kind, protocol in ((socket.SOCK_DGRAM, 136), (socket.SOCK_STREAM, 132), (socket.SOCK_STREAM, 262), (6, 33)):
    made = tried(socket.socket, socket.AF_INET, kind, protocol)
    if made is not None:
        tried(made.connect, ("127.0.0.1", PORT))

# %% raw packets
for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW, 768),
                               (socket.AF_INET6, socket.SOCK_RAW, 58), (socket.AF_INET, socket.SOCK_DGRAM, 1)):
    if tried(socket.socket, family, kind, protocol) is not None:
        print(FLAG)

# %% abstract socket | bites
socket.socket(socket.AF_UNIX).connect(ABSTRACT)

# %% abstract datagram | bites
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"hello", ABSTRACT_DATAGRAM)

# %% socket by path | bites
socket.socket(socket.AF_UNIX).connect(SOCKET)

# %% socket by path through a descriptor | bites
handle = os.open(SOCKET, os.O_PATH)
socket.socket(socket.AF_UNIX).connect(f"/proc/self/fd/{handle}")

# %% socket by path from a linked folder | bites
os.chdir(WORK + "/plain/outward")
socket.socket(socket.AF_UNIX).connect("stream.sock")

# %% datagram by path | bites
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"hello", DATAGRAM)

# %% a pair that is turned to somebody else | bites
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
tried(ours.sendto, b"hello", DATAGRAM)
tried(ours.connect, ABSTRACT_DATAGRAM)
tried(ours.send, b"hello")

# %% a connected pair used as another kind
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    for address in (DATAGRAM, ABSTRACT_DATAGRAM, SOCKET, ABSTRACT):
        tried(ours.sendto, b"hello", address)
        tried(ours.connect, address)
        tried(lambda: ours.sendmsg([b"hello"], [], 0, address))

# %% a pair with hidden bits in its kind
for kind in (2 | 0x10000, 2 | socket.SOCK_NONBLOCK, 3, 4, 5 | 0x100000000, 2 | 0x100000000, 0x100000002):
    pair = (ctypes.c_int * 2)()
    if syscall(53, 1, kind, 0, pair) == 0:
        made = socket.socket(fileno=pair[0])
        for address in (DATAGRAM, ABSTRACT_DATAGRAM):
            tried(made.sendto, b"hello", address)

# %% a family with hidden bits
for family in (2, 2 | 1 << 32, 1 | 1 << 32, 16 | 1 << 33, -(1 << 32) + 2):
    for kind in (1, 2, 1 | 1 << 32):
        handle = syscall(41, family, kind, 0)
        if handle >= 0:
            print(FLAG, family, kind)

# %% every family
for family in range(1, 60):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        for protocol in (0, 1):
            handle = syscall(41, family, kind, protocol)
            if handle >= 0:
                print(FLAG, family, kind)
                os.close(handle)

# %% the host of a virtual machine
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    made = tried(socket.socket, 40, kind)
    if made is not None:
        print(FLAG)

# %% kernel crypto, bluetooth, infrared, can
for family, kind, protocol in ((38, 5, 0), (31, 5, 0), (31, 3, 1), (23, 5, 0), (29, 3, 1), (44, 3, 0), (45, 5, 0)):
    if tried(socket.socket, family, kind, protocol) is not None:
        print(FLAG)

# %% the kernel's own language
for protocol in range(0, 23):
    if tried(socket.socket, 16, socket.SOCK_RAW, protocol) is not None:
        print(FLAG)

# %% a socket that was there
for fd in range(3, 64):
    try:
        made = socket.socket(fileno=fd)
    except OSError:
        continue
    tried(made.getpeername)
    tried(lambda: made.connect(("127.0.0.1", PORT)))
    tried(lambda: made.sendto(b"hello", DATAGRAM))
    tried(lambda: made.connect(SOCKET))
    made.detach()

# %% listen for the outside
made = tried(socket.socket)
if made is not None:
    tried(made.bind, ("0.0.0.0", 0))
    tried(made.listen)
    print(FLAG)

# %% a socket in the file system
made = tried(socket.socket, socket.AF_UNIX)
tried(lambda: made.bind(f"{WORK}/plain/socket"))
tried(os.mknod, f"{WORK}/plain/socket", stat.S_IFSOCK | 0o666)
if os.path.lexists(f"{WORK}/plain/socket"):
    print(FLAG)

# %% tools of the system | bites
for command in (["bash", "-c", f"echo hello > /dev/tcp/127.0.0.1/{PORT}"], ["curl", "-m", "1", f"http://127.0.0.1:{PORT}/"],
                ["nc", "-w", "1", "127.0.0.1", str(PORT)], ["wget", "-T", "1", f"http://127.0.0.1:{PORT}/"], ["ping", "-c1", "127.0.0.1"]):
    tried(lambda: subprocess.run(command, timeout=1, stdin=subprocess.DEVNULL))

# %% urllib and http | bites
import http.client
import urllib.request
tried(lambda: urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=0.3))
tried(lambda: http.client.HTTPConnection("127.0.0.1", PORT, timeout=0.3).request("GET", "/"))

# %% the address of the cloud
for address in ("169.254.169.254", "100.100.100.200", "[fd00:ec2::254]"):
    made = tried(socket.socket)
    if made is not None:
        made.settimeout(0.2)
        tried(made.connect, (address.strip("[]"), 80))
        print(FLAG)
