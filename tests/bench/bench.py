# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of the benchmarks: how much of what is wanted, and what was found."""

import rows
from measure import Figure, Missing


class Bench:
    """short measures next to nothing: it proves that all of it works, as figures it is worthless.

    figures  Figure by key of its row, in the order of the table once all is done
    failed   what broke, with the keys that have no figure for it
    """

    def __init__(self, short, rounds, numbers=()):
        self.short = short
        self.rounds = 1 if short else rounds
        self.numbers = set(numbers or rows.NUMBERS)
        self.figures = {}
        self.failed = {}

    # How much

    @property
    def few_rounds(self):
        """For what takes seconds."""
        return min(self.rounds, 5)

    def times(self, count):
        """How often in a turn."""
        return max(2, count // 100) if self.short else count

    def many(self, count):
        """How many of what is there in numbers."""
        return max(4, count // 50) if self.short else count

    def wants(self, key):
        return rows.BY_KEY[key].number in self.numbers if key in rows.BY_KEY else False

    # What was found

    def compare(self, key, ours, theirs):
        self.figures[key] = Figure(list(ours), list(theirs))

    def tell(self, key, ours):
        """A figure that stands for itself."""
        self.figures[key] = Figure(list(ours))

    def miss(self, keys, reason):
        for key in keys:
            self.figures.setdefault(key, Figure(missing=reason))

    def peer(self, key, make, *arguments):
        """What make() returns; None where that is not to be had, which the row then says."""
        try:
            return make(*arguments)
        except Missing as missing:
            self.miss([key], str(missing))
            return None

    def run(self, part, *prefixes):
        """One part of a group, for the rows whose keys begin so. Returns whether any of them is wanted."""
        keys = [row.key for row in rows.ROWS if row.number in self.numbers and
                any(row.key == prefix or row.key.startswith(f"{prefix} ") for prefix in prefixes)]
        if not keys:
            return False
        try:
            part(self)
        except Missing as missing:
            self.miss(keys, str(missing))
        except Exception as error:  # the other rows are still worth having
            self.failed[part.__name__] = error
            self.miss(keys, "failed, see below")
        left = [key for key in keys if key not in self.figures]
        if left:
            self.failed[part.__name__] = RuntimeError(f"{part.__name__} has left out {', '.join(left)}")
            self.miss(left, "failed, see below")
        return True
