"""What a person at a terminal meets: a pseudo-terminal, and signals as keys send them."""

import os
import pty
import signal
import subprocess
import termios

from conftest import ANDON
from peers import wait_for


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def test_an_interrupted_question_for_a_password_leaves_a_terminal_that_shows_what_is_typed(tmp_path):
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [ANDON, "sql-user", "add", "ann", "--data", str(tmp_path)], stdin=theirs, stdout=theirs, stderr=theirs
    )
    wait_for("a question that hides the answer", lambda: not echoes(theirs), 60)
    wait_for("the question", lambda: b"password for ann" in os.read(ours, 4096), 60)
    asked.send_signal(signal.SIGINT)
    assert asked.wait(60) != 0
    assert echoes(theirs)
    os.close(ours)
    os.close(theirs)
