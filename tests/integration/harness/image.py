# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests boot from, and the programs under test."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("QGA_BUILD") or SOURCE / "build").resolve()

AGENT = "agent/qga-agent"

# What a guest gets of a build directory, by the name that it has there; what was not built is left out.
PROGRAMS = {
    "qga-agent": AGENT,
    "qga-agent-static": "static/musl/agent/qga-agent",
    "old-kernel": "tests/tools/old-kernel",
    "unix-client": "tests/tools/unix-client",
    "vsock-relay": "tests/tools/vsock-relay",
}


def program(name):
    """A program that this project builds, such as "proxy/daemon/qga-proxyd"."""
    path = BUILD / name
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: build first, or point QGA_BUILD at the build directory")
    return path


class Image:
    """The kernel, the initrd and the pristine disks that tests/guest/build makes."""

    DISKS = ("ext4", "xfs", "swap")

    def __init__(self, directory, systemd):
        self.directory = directory
        self.kernel = directory / "vmlinuz"
        self.initrd = directory / ("initrd-systemd" if systemd else "initrd")

    @classmethod
    @functools.cache
    def built(cls, systemd=False):
        """Brings it up to date, once in a process."""
        directory = BUILD / "guest"
        command = [SOURCE / "tests/guest/build", "--stock", "--out", directory, *(["--systemd"] if systemd else [])]
        for name, path in PROGRAMS.items():
            if (BUILD / path).is_file():
                command += ["--agent", f"{name}={BUILD / path}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return cls(directory, systemd)

    def disk(self, name):
        return self.directory / f"{name}.img"


def check_filesystem(image, kind):
    """Proves that a disk image holds a clean filesystem: nothing to repair and no journal to replay.

    The image may be in use: QEMU's lock is passed over, since the base of a snapshot does not change any more."""
    with tempfile.TemporaryDirectory(prefix="qga-") as directory:
        raw = Path(directory) / "raw"
        _checked("qemu-img", "convert", "-U", "-O", "raw", image, raw)
        if kind == "ext4":
            if "needs_recovery" in _checked("dumpe2fs", "-h", raw):
                raise AssertionError(f"{image}: the journal has to be replayed")
            _checked("e2fsck", "-fn", raw)
        elif kind == "xfs":
            # It refuses a log that has to be replayed (status 2) and tells of other damage with status 1.
            _checked("xfs_repair", "-n", raw)
        else:
            raise ValueError(kind)


def _checked(*command):
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=environment, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout
