# SPDX-License-Identifier: GPL-2.0-or-later
"""A small system in a folder, in namespaces of its own, into which packages are installed and in which they run.

Its shell and all its tools are busybox's. Nothing of this machine is in it but the libraries that programs need, and
nothing in it is known to this machine: neither users, nor processes, nor mounts."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .image import BUILD

BUSYBOX = BUILD / "guest/packages/busybox-static/bin/busybox"
NAMESPACES = ["--user", "--mount", "--pid", "--net", "--ipc", "--uts"]
FOLDERS = ["bin", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sbin", "tmp", "usr/bin", "usr/sbin", "usr/lib",
           "var/lib", "var/log"]

# Where a system has helpers for init scripts, these tell what they were asked for.
RC_STUB = '#!/bin/sh\necho "${0##*/} $*" >> /var/log/rc\n'


def obstacle():
    """Why there can be none here, or None."""
    attempt = subprocess.run(["unshare", *NAMESPACES, "--map-root-user", "--fork", "--mount-proc", "true"],
                             capture_output=True, text=True, check=False)
    return f"no namespaces here: {attempt.stderr.strip()}" if attempt.returncode else None


class Scratch:
    """Usage: with Scratch() as scratch: ..."""

    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix="qga-root-"))
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "var/run").symlink_to("/run")
        (self.root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (self.root / "etc/group").write_text("root:x:0:\n")
        shutil.copy2(BUSYBOX, self.root / "bin/busybox")
        applets = subprocess.run([BUSYBOX, "--list-full"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for applet in applets.split():
            if not (self.root / applet).exists():
                (self.root / applet).symlink_to("/bin/busybox")
        # The first process in it outlives all commands and is their end.
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "unshare", *NAMESPACES, "--map-root-user", "--fork",
             "--kill-child", "sh", "-c",
             f"mount -t proc proc {self.root}/proc && : > {self.root}/dev/null && "
             f"mount --bind /dev/null {self.root}/dev/null && echo ready && exec sleep infinity"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no place for packages: {self.holder.stdout.read()}")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.first = children.read_text().split()[0]
        return self

    def __exit__(self, *exception):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        shutil.rmtree(self.root)

    def outside(self, *command, **options):
        """Runs a program of this machine, which sees its files, in the namespaces. Returns what it did."""
        return subprocess.run(["nsenter", "-t", self.first, *NAMESPACES, "--preserve-credentials", *map(str, command)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False, **options)

    def run(self, command):
        """Runs shell commands within."""
        return self.outside("chroot", self.root, "/bin/sh", "-c", command,
                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"})

    def shell(self, command, status=0):
        """The same, which end with this status. Returns what they said."""
        done = self.run(command)
        if done.returncode != status:
            raise AssertionError(f"'{command}' ended with {done.returncode}: {done.stdout}")
        return done.stdout.rstrip("\n")

    def add(self, path, text):
        """Puts a script there."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        (self.root / path).chmod(0o755)

    def add_program(self, path):
        """One of this machine's, with its libraries."""
        self.copy(path)
        self.add_libraries(path)

    def add_libraries(self, path):
        for word in subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
            if word.startswith("/") and not (self.root / word.lstrip("/")).exists():
                self.copy(word)

    def copy(self, path):
        target = self.root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), target)
