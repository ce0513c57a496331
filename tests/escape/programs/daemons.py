"""What should go on after the end: nothing does."""

# %% a program in the background | alone
subprocess.Popen(["sleep", NAP], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

# %% a daemon by two forks | alone
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64)
        os.execv("/bin/sleep", ["sleep", NAP])
    os._exit(0)
os.wait()

# %% a daemon that ignores every signal | alone
if os.fork() == 0:
    os.setsid()
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork() == 0:
        os.execv("/bin/sh", ["sh", "-c", f"trap '' 1 2 3 13 15; while :; do sleep {NAP} & wait; done"])
    os._exit(0)
os.wait()

# %% a daemon that forks on when it is killed | alone
code = f"""
import os, signal, time
stop = time.monotonic() + 2
while time.monotonic() < stop:
    if os.fork() == 0:
        os.setsid()
        continue
    time.sleep(0.002)
    os._exit(0)
os.execv("/bin/sleep", ["sleep", "{NAP}"])
"""
subprocess.Popen([sys.executable, "-I", "-S", "-c", code, NAP], start_new_session=True)
wait(0.1)

# %% a subreaper of one's own | alone
if os.fork() == 0:
    libc.prctl(36, 1, 0, 0, 0)
    os.setsid()
    for _ in range(4):
        if os.fork() == 0:
            os.execv("/bin/sleep", ["sleep", NAP])
    signal.pause()
wait(0.1)

# %% at and cron and systemd | alone
for command in (["at", "now"], ["crontab", "-"], ["systemd-run", "--user", "sleep", NAP], ["nohup", "sleep", NAP], ["setsid", "-f", "sleep", NAP]):
    tried(lambda: subprocess.run(command, input=f"sleep {NAP}\n", text=True, timeout=0.5, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

# %% the worker is killed and the rest goes on | alone
subprocess.Popen(["sleep", NAP], start_new_session=True)
os.kill(os.getppid(), signal.SIGKILL)

# %% the worker is stopped | alone
pid = os.getppid()
if os.fork() == 0:
    os.setsid()
    os.kill(pid, signal.SIGSTOP)
    os.execv("/bin/sleep", ["sleep", NAP])
wait(0.2)

# %% a stopped process | alone
pid = os.fork()
if pid == 0:
    os.setsid()
    os.execv("/bin/sleep", ["sleep", NAP])
os.kill(pid, signal.SIGSTOP)

# %% deaf to the death of the parent | alone
if os.fork() == 0:
    os.setsid()
    libc.prctl(1, 0, 0, 0, 0)
    if os.fork() == 0:
        libc.prctl(1, 0, 0, 0, 0)
        os.execv("/bin/sleep", ["sleep", NAP])
    os._exit(0)
os.wait()
