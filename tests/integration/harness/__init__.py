# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots real guests for integration tests and talks to everything that can be talked to: QEMU's monitor, the agent's
channels, a shell in the guest. Nothing here waits by sleeping, and everything that waits has a deadline."""

from .agent import AgentChannel, AgentError
from .console import GuestError
from .guest import Guest
from .image import Image, check_filesystem, program
from .proxy import Proxy, port_is_free
from .qmp import Qmp, QmpError
from .stream import Closed, Deadline, Stream, TimedOut, wait_until

__all__ = [
    "AgentChannel", "AgentError", "Closed", "Deadline", "Guest", "GuestError", "Image", "Proxy", "Qmp", "QmpError",
    "Stream", "TimedOut", "check_filesystem", "port_is_free", "program", "wait_until",
]
