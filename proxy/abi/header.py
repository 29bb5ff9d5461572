#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs that were compiled with a header rely on: header.py HEADER SYMBOLS

Prints one line for each function (its version, its types), each member of an enumeration (its value) and each type of
callback: the form of the lists in proxy/abi/, which are made by this."""

import re
import sys
from pathlib import Path

import symbols

MARK = "QGA_PROXY_API"
NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|^[ \t]*#(?:\\\n|[^\n])*|\b(?:G_BEGIN_DECLS|G_END_DECLS)\b",
                   re.DOTALL | re.MULTILINE)
TYPE = re.compile(rf"\b{MARK}\s+G_DECLARE_\w+\s*\(\s*\w+\s*,\s*(\w+)[^)]*\)")
# Its types, its name, its parameters; attributes may follow.
FUNCTION = re.compile(r"(.*?)(\w+)\s*\(([^)]*)\)[^()]*(?:\([^()]*\))?\s*", re.DOTALL)


def spaced(text):
    """One way of writing a type."""
    return re.sub(r"\s*(\*+)\s*", r" \1", " ".join(text.split())).strip()


def parameter_types(text):
    """Of what stands between the parentheses, without the names."""
    if text.strip() in ("", "void"):
        return "void"
    return ", ".join("..." if part.strip() == "..." else spaced(re.sub(r"\w+\s*$", "", part))
                     for part in text.split(","))


class Header:
    """functions and callbacks are types by name, members values by "Enumeration.MEMBER"."""

    def __init__(self, text):
        self.functions, self.callbacks, self.members = {}, {}, {}
        code = NOISE.sub(" ", text)
        for name in TYPE.findall(code):
            self.functions[name + "_get_type"] = "GType (void)"
        for statement in re.findall(rf"\b{MARK}\s+([^;]*);", TYPE.sub(" ", code)):
            self.add_function(statement)
        for ret, name, parameters in re.findall(r"\btypedef\s+([^;{}]*?)\(\s*\*\s*(\w+)\s*\)\s*\(([^)]*)\)", code):
            self.callbacks[name] = f"{spaced(ret)} ({parameter_types(parameters)})"
        for body, name in re.findall(r"\btypedef\s+enum\s*\w*\s*\{([^}]*)\}\s*(\w+)\s*;", code):
            self.add_members(name, body)

    def add_function(self, statement):
        ret, name, parameters = FUNCTION.fullmatch(statement).groups()
        self.functions[name] = f"{spaced(ret)} ({parameter_types(parameters)})"

    def add_members(self, enumeration, body):
        following = 0
        for member in filter(None, (part.strip() for part in body.split(","))):
            name, _, value = member.partition("=")
            number = self.value(value) if value else following
            self.members[f"{enumeration}.{name.strip()}"] = number
            following = number + 1

    @staticmethod
    def value(text):
        base, _, shift = text.strip().strip("()").partition("<<")
        return int(base, 0) << int(shift or "0", 0)


def interface(header, versions):
    """What is relied on, by name."""
    lines = {name: f"{versions.get(name, '?')} {text}" for name, text in header.functions.items()}
    lines.update({name: f"= {value}" for name, value in header.members.items()})
    lines.update({name: f"callback {text}" for name, text in header.callbacks.items()})
    return lines


def read_list(path):
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text().splitlines())
    return dict(line.split(" ", 1) for line in lines if line)


def main():
    lines = interface(Header(Path(sys.argv[1]).read_text()), symbols.read(sys.argv[2]))
    print("# SPDX-License-Identifier: LGPL-2.1-or-later")
    print("\n".join(f"{name} {lines[name]}" for name in sorted(lines)))


if __name__ == "__main__":
    main()
