"""A shell with job control and nothing else: runs a command in a group of its own, says that it stopped, waits for fg.

Usage, on a terminal as the leader of a session: python -m tests.cli.job_shell COMMAND...
"""

from __future__ import annotations

import os
import signal
import sys


def main(command: list[str]) -> int:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(2, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        os.tcsetpgrp(2, os.getpgrp())
        os.write(2, b"[1]+ Stopped\n")
        sys.stdin.readline()
        os.write(2, b"goes on\n")
        os.tcsetpgrp(2, job)
        os.killpg(job, signal.SIGCONT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
