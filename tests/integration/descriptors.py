# SPDX-License-Identifier: GPL-2.0-or-later
"""Which descriptors a process has open, looked up in /proc."""

import contextlib
import os


def identity(descriptor, pid="self"):
    """What it is open on: of a pipe or socket the inode, so that it can be found in another process."""
    return os.readlink(f"/proc/{pid}/fd/{descriptor}")


def held(process):
    """What each of a Popen's descriptors is open on."""
    found = []
    for number in os.listdir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(identity(number, process.pid))
    return found
