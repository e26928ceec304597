"""Processes that have PyTorch imported when they start: a server imports it once, and each process is a fork of it.

    process = fork([script, *arguments], folder, variables, output)
    exit_code = process.wait(timeout=300)

A training of a second would wait for five seconds of imports. What is imported ahead is the same for all releases; the
release itself is imported by each process, from where its variables say. The server starts with the first process that
is asked for, and ends with the process that asked.

Run as a script this is the server. Each message to it asks for one process, and comes with the file that the process
prints to and with a socket: on this one the server answers with the process's number and, later, with its exit code.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import types
from pathlib import Path
from typing import IO, NoReturn

ISOLATED = Path(__file__).resolve().parent / "isolated"

# What trainings import, but for what starts threads when it is imported: a fork would have none of them.
AHEAD = (
    "torch",
    "torch._dynamo",
    "torch._inductor",
    "torchvision",
    "cv2",
    "matplotlib.pyplot",
    "pandas",
    "psutil",
    "requests",
    "scipy.ndimage",
    "seaborn",
    "thop",
    "yaml",
)

LARGEST_MESSAGE = 1 << 16


class Forked:
    """A process that the server started, the first of a session."""

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers
        self.pid = int(answers.recv(16))
        self._code: int | None = None

    def wait(self, timeout: float) -> int:
        """Return the exit code; raise TimeoutExpired if there is none after so many seconds."""
        self._answers.settimeout(timeout)
        try:
            self._code = int(self._answers.recv(16))
        except TimeoutError:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout) from None
        return self._code

    def poll(self) -> int | None:
        """Return the exit code if it is known."""
        return self._code


def fork(command: list[str], folder: Path, variables: dict[str, str], output: IO[bytes]) -> Forked:
    """Start a process that runs a script, with its arguments, in a folder, with these variables and no others."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = json.dumps([command, str(folder), variables]).encode()
    assert len(request) <= LARGEST_MESSAGE
    socket.send_fds(_server(), [request], [output.fileno(), theirs.fileno()])
    theirs.close()
    return Forked(ours)


@functools.lru_cache(maxsize=1)  # functools.cache is not in Python 3.8, on which tests import this file
def _server() -> socket.socket:
    """Start the server; return what it takes its messages from."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # One thread until a process has said how many it wants: a pool of threads that has begun does not survive a fork.
    variables = {**os.environ, "PYTHONPATH": str(ISOLATED), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(theirs.fileno())]
    subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()
    return ours


def serve(requests: socket.socket) -> NoReturn:
    """Start a process for each message, until there are no more."""
    for name in AHEAD:
        importlib.import_module(name)
    # What was imported is there for good: a process that collects its garbage need not look through it.
    gc.collect()
    gc.freeze()
    while True:
        message, files, *_ = socket.recv_fds(requests, LARGEST_MESSAGE, 2)
        if not message:
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not os.fork():
            requests.close()
            _attend(message, *files)
            os._exit(0)
        for file in files:
            os.close(file)


def _attend(message: bytes, output: int, answers: int) -> None:
    """Start one process, and answer with its number and its exit code."""
    client = socket.socket(fileno=answers)
    # Ends at its script's end: to take all modules down takes half a second.
    process = multiprocessing.get_context("fork").Process(target=_run, args=(client, output, *json.loads(message)))
    process.start()
    client.send(str(process.pid).encode())
    process.join()
    client.send(str(process.exitcode).encode())


def _run(client: socket.socket, output: int, command: list[str], folder: str, variables: dict[str, str]) -> None:
    """Run a script as an interpreter does that has just started."""
    import numpy
    import torch

    client.close()
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    torch.set_num_threads(int(variables["OMP_NUM_THREADS"]))
    numpy.random.seed()
    sys.argv, script = command, Path(command[0])
    sys.path[:2] = [str(script.parent), *variables["PYTHONPATH"].split(os.pathsep)]
    runpy.run_path(str(ISOLATED / "sitecustomize.py"))
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = command[0]
    exec(compile(script.read_bytes(), script, "exec"), vars(main))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
