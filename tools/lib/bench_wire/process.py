"""Processes of a bench: started with what they print read, measured, pinned to a core, and stopped by their own id."""

import os
import pathlib
import select
import socket
import subprocess
import time

START_SECONDS = 20
STOP_SECONDS = 20


class BenchError(Exception):
    """What went wrong, for a person."""


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def answers(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """One program and its children. `log` gets what it says on standard error."""

    def __init__(self, command, log, ready_port=None):
        """Returns when it listens: on `ready_port`, or on the port that it prints as its first line."""
        self.name = os.path.basename(command[0])
        self.log = pathlib.Path(log)
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors,
                                            stdout=subprocess.PIPE if ready_port is None else errors)
        try:
            self.port = self._printed_port() if ready_port is None else self._await_port(ready_port)
        except BenchError:
            self.stop()
            raise

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _fail(self):
        said = self.log.read_text(encoding="utf-8", errors="replace")[-1000:]
        raise BenchError(f"{self.name} did not start:\n{said}")

    def _printed_port(self):
        readable, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if readable else b""
        return int(line) if line.strip().isdigit() else self._fail()

    def _await_port(self, port):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if answers(port):
                return port
            time.sleep(0.02)
        return self._fail()

    def threads(self):
        """Ids of all threads of the process and of its children."""
        found, processes = [], [self.process.pid]
        while processes:
            for task in pathlib.Path(f"/proc/{processes.pop()}/task").iterdir():
                found.append(int(task.name))
                processes += map(int, (task / "children").read_text(encoding="ascii").split())
        return found

    def cpu_seconds(self):
        """User and system time so far, of the threads that are alive."""
        nanos = 0
        for thread in self.threads():
            with open(f"/proc/{thread}/schedstat", encoding="ascii") as stat:
                nanos += int(stat.read().split()[0])
        return nanos / 1e9

    def pin(self, cores):
        for thread in self.threads():
            os.sched_setaffinity(thread, cores)

    def stop(self):
        """Asks it to end, by closing its input and by SIGTERM; kills it if it does not."""
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Processes:
    """Stops all that was started through it, the last first."""

    def __init__(self):
        self.all = []

    def start(self, *arguments, **options):
        self.all.append(Process(*arguments, **options))
        return self.all[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.all:
            self.all.pop().stop()


def run(*command, **options):
    """Standard output of a command that must succeed."""
    result = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, **options)
    if result.returncode != 0:
        raise BenchError(f"{' '.join(command)}\n{result.stdout.decode()}{result.stderr.decode()}")
    return result.stdout
