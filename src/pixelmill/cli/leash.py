"""Start a program that dies with us: ``python -I -S leash.py PARENT PROGRAM ARGUMENT…``.

Linux only promises a signal at the death of a parent to a process that asks for it, and asking between fork and exec
(``preexec_fn``) is not safe in a process with threads. So this little program asks, and becomes the other one.

In a process group of its own: Ctrl-C is for the parent. Not in a session of its own: where the kernel shares the CPU
among sessions first (sched(7), autogroup), that the decoders are nice would count for nothing beside us.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # in the background of a terminal with `stty tostop` a log line stops
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
