"""Processes that are measured: what they take of the CPU and of memory."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICK = 1 / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def memory_of(pid, key):
    """VmRSS or VmHWM of a process in MiB; None once it has ended."""
    with open(f"/proc/{pid}/status") as f:
        found = [line.split()[1] for line in f if line.startswith(key + ":")]
    return int(found[0]) / 1024 if found else None


class Server:
    """A server on loopback that is stopped by its own id."""

    def __init__(self, name, argv, port, log):
        self.name, self.port = name, port
        self.log = open(log, "wb")
        began = time.monotonic()
        self.child = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except (urllib.error.URLError, OSError):
                pass
            if self.child.poll() is not None:
                raise SystemExit(f"{name} ended with {self.child.returncode}, see {log}")
            if time.monotonic() - began > 120:
                self.stop()
                raise SystemExit(f"{name} is not ready, see {log}")
            time.sleep(0.02)
        self.ready_ms = (time.monotonic() - began) * 1000
        self.rss_at_start = self.memory("VmRSS")

    def cpu_seconds(self):
        """User and system time so far, in ticks of 10 ms: exact over many requests, not over one."""
        with open(f"/proc/{self.child.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def memory(self, key):
        """VmRSS (now) or VmHWM (the peak), in MiB."""
        found = memory_of(self.child.pid, key)
        if found is None:
            raise SystemExit(f"{self.name} has ended")
        return found

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


def measured(argv):
    """Runs a command to its end: wall seconds, CPU seconds, peak RSS in MiB."""
    began = time.monotonic()
    child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    # What the kernel says at the end begins with the peak of this process, from which the child came.
    peak, ended = 0, 0
    while not ended:
        peak = memory_of(child.pid, "VmHWM") or peak
        time.sleep(0.02)
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with {child.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, peak
