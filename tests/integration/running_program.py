# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells when a process has become another program: a daemon that is upgraded starts its successor in its own place."""

import contextlib
from pathlib import Path


class RunningProgram:
    """What a process runs now."""

    def __init__(self, pid):
        self.stat = Path(f"/proc/{pid}/stat")
        self.memory = self._memory()

    def replaced(self):
        """Another program has started there, with its memory elsewhere."""
        return self._memory() not in (self.memory, None)

    def _memory(self):
        """Where its arguments and its environment are; None where not all of it is known: of a process that has ended,
        and for a moment while it starts another program, which is told these places one after the other."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            places = self.stat.read_text().rpartition(")")[2].split()[45:48]
            return None if "0" in places else places
        return None
