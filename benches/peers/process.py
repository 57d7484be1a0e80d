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
        with open(f"/proc/{self.child.pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) / 1024
        raise SystemExit(f"{self.name} has ended")

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
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with {child.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
