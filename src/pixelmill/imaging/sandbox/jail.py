"""Gives up every right a decoder does not need, in the process that calls it, for good.

Each layer is put on where the kernel has it, and :func:`lock` tells which were: resource limits everywhere; on Linux
death with the parent, no new privileges, no capabilities; Landlock (read-only view of Python, its libraries and the
fonts, no network) and seccomp (no program is started, no socket opened, no other process looked at).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSYS, EPERM
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
CLONE_THREAD = 0x10000
LINUX_CAPABILITY_VERSION_3 = 0x20080522

DENIED = (
    # programs and processes
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    "kill", "tkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "setns", "unshare", "kcmp",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    # network
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4",
    # the system
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "pivot_root", "chroot", "swapon", "swapoff",
    "reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf",
    "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
    "request_key", "settimeofday", "clock_settime", "adjtimex", "sethostname", "setdomainname", "acct", "quotactl",
    "open_by_handle_at", "name_to_handle_at", "syslog", "personality", "fanotify_init", "vhangup", "ioperm", "iopl",
    # files
    "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
    "symlinkat", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
    "truncate", "setxattr", "lsetxattr", "fsetxattr",
)  # fmt: skip


def lock(memory_bytes: int, parent: int) -> list[str]:
    """Put on every layer there is; the names of those that hold."""
    held = ["limits"]
    _limits(memory_bytes)
    if not sys.platform.startswith("linux"):
        return held
    _die_with(parent)
    held.append("death-signal")
    if _no_privileges():
        held.append("no-privileges")
    with _no_compiler():
        if _seccomp():
            held.append("seccomp")
        if _landlock():
            held.append("landlock")
    return held


@contextmanager
def _no_compiler() -> Iterator[None]:
    """Both libraries ask ctypes where libc is, which runs gcc with a temporary file: we have libc already."""
    found = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None
    try:
        yield
    finally:
        ctypes.util.find_library = found


def _limits(memory_bytes: int) -> None:
    for name, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(ValueError, OSError):  # macOS knows the name of RLIMIT_AS and refuses it
            resource.setrlimit(name, (value, value))
    # A write beyond RLIMIT_FSIZE is then an error, not the end.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def limit_cpu(seconds: float) -> None:
    """End this process by SIGXCPU after so much more CPU time: the last resort if the parent is stopped."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the signal was asked for
        os._exit(0)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _no_privileges() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    dropped = libc.capset(ctypes.byref(_Header(LINUX_CAPABILITY_VERSION_3, 0)), (_Data * 2)()) == 0
    return bool(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and dropped)


def _seccomp() -> bool:
    try:
        import seccompy
    except ImportError:
        return False
    if not seccompy.supported():
        return False
    filter = seccompy.Filter()
    for name in DENIED:
        try:
            filter.errno(name, EPERM)
        except (seccompy.SeccompError, KeyError, ValueError):
            continue  # this processor has no such call
    # A new process is refused, a new thread is not: libraries start those. clone3 hides its flags behind a pointer,
    # so it is said not to exist, and the C library falls back to clone.
    filter.errno("clone", EPERM, args=[(0, seccompy.CmpOp.MASKED_EQ, 0, CLONE_THREAD)])
    with suppress(seccompy.SeccompError, KeyError, ValueError):
        filter.errno("clone3", ENOSYS)
    # Its own limits and threads are its own (abort() signals itself); those of its user's other processes are not.
    filter.errno("prlimit64", EPERM, args=[(0, seccompy.CmpOp.NE, 0)])
    filter.errno("tgkill", EPERM, args=[(0, seccompy.CmpOp.NE, os.getpid())])
    try:
        filter.load()
    except OSError:
        return False
    return True


def _landlock() -> bool:
    try:
        import landlockpy
    except ImportError:
        return False
    if not landlockpy.supported():
        return False
    read = landlockpy.AccessFS.READ_FILE | landlockpy.AccessFS.READ_DIR
    try:
        with landlockpy.Ruleset(scoped=landlockpy.Scope.ABSTRACT_UNIX_SOCKET | landlockpy.Scope.SIGNAL) as rules:
            for path in readable():
                rules.allow_path(path, read if path.is_dir() else landlockpy.AccessFS.READ_FILE)
            rules.restrict()
    except OSError:
        return False
    return True


def readable() -> list[Path]:
    """What a decoder may read: Python, its packages, this package, the system's libraries and fonts."""
    import pixelmill

    # Python's lib, not its prefix: of a distribution's Python that is all of /usr.
    places = {Path(os.__file__).parent.parent, Path(pixelmill.__file__).parent}
    places |= {Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages", ".zip"))}
    places |= {Path(name) for name in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")}
    # The rules of fontconfig in /etc are links into its share.
    fonts = ("/etc/fonts", "/usr/share/fontconfig", "/usr/share/fonts", "/usr/local/share/fonts")
    places |= {Path(name) for name in fonts}
    places |= {Path(name) for name in ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")}
    places |= {Path(name) for name in ("/dev/urandom", "/dev/null", "/proc/self", "/sys/devices/system/cpu")}
    return sorted(place for place in places if place.exists())
