#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the linker's version script of a list of symbols: symbols.py SYMBOLS OUTPUT

Each version has a node QGA_PROXY_VERSION, which inherits from the one before; all that is not in the list is local."""

import sys
from pathlib import Path


def read(path):
    """The version of each symbol."""
    lines = (line.partition("#")[0].split() for line in Path(path).read_text().splitlines())
    return {line[0]: line[1] for line in lines if line}


def number(version):
    """For comparing: 0.10 is later than 0.9."""
    return [int(part) for part in version.split(".")]


def script(symbols):
    text, former = "", ""
    for version in sorted(set(symbols.values()), key=number):
        names = sorted(name for name in symbols if symbols[name] == version)
        text += f"QGA_PROXY_{version} {{\nglobal:\n" + "".join(f"    {name};\n" for name in names)
        text += "" if former else "local:\n    *;\n"
        text += f"}}{former};\n"
        former = f" QGA_PROXY_{version}"
    return text


def main():
    Path(sys.argv[2]).write_text(script(read(sys.argv[1])))


if __name__ == "__main__":
    main()
