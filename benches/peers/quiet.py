"""Measured programs go ahead of whatever else the machine does."""

import functools
import os
import shutil
import subprocess

PRIORITY = "10"
"""Of the real-time round robin; the kernel leaves the others a twentieth of the time."""


@functools.cache
def ahead() -> tuple[str, ...]:
    """What goes before a measured command; nothing where that is not allowed."""
    command = ("chrt", "-r", PRIORITY)
    if not shutil.which("chrt") or subprocess.run([*command, "true"], capture_output=True).returncode:
        return ()
    return command


def alone(core: int = 0) -> tuple[str, ...]:
    """The same, on one core."""
    return (*ahead(), "taskset", "--cpu-list", str(core))


def go_ahead() -> None:
    """This process too, and what it starts."""
    if ahead():
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(int(PRIORITY)))
