#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the tree to its rules: layering.py FOLDER

- who may include whom: each C file belongs to an area by its path, each area may include certain others;
- common/ and the pure parts of proxy/ include nothing of the system but GLib (no GIO) and standard C;
- what differs by system is in files named for it, never behind #if inside a function of another file;
- every source file names its licence in its first lines;
- no C file is longer than 800 lines, no function than 80, tables inside it not counted.

Prints one line FILE:LINE: RULE for each breach."""

import os
import re
import sys
from pathlib import Path, PurePosixPath

FOLDERS = ("common", "proxy", "agent", "cli", "examples", "tests")
MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 80

# ---- Areas ---------------------------------------------------------------------------------------

ENDPOINTS = {"client", "client-handover", "client-private", "upstream", "agent-lane", "agent-lane-guest",
             "agent-lane-handover", "agent-lane-private", "agent-lane-receive", "agent-lane-send", "agent-lane-terms",
             "listener"}
# Descriptors below the endpoints.
PLUMBING = {"io", "io-poll", "io-private", "dial", "entrance", "journal", "journal-private", "journal-recover",
            "large-pages", "link", "record", "rights", "socket", "socket-path"}
# What knows several endpoints.
CORE = {"channels", "core", "core-agent", "core-handover", "core-private", "core-program", "core-setup", "core-survey",
        "crowd", "freeze", "freeze-agents", "freeze-commands", "freeze-handover", "freeze-private", "freeze-words",
        "local", "monitor", "raw-client", "watch"}
PROXY_AREAS = {"proxy pure part", "proxy plumbing", "proxy endpoint", "proxy core"}

MAY_INCLUDE = {
    "common": {"common"},
    "common test": {"common", "test support"},
    "proxy pure part": {"proxy pure part", "common"},
    "proxy plumbing": {"proxy plumbing", "proxy pure part", "common"},
    "proxy endpoint": {"proxy plumbing", "proxy pure part", "common"},
    "proxy core": PROXY_AREAS | {"common"},
    "proxy border": PROXY_AREAS | {"proxy border", "proxy public header", "common"},
    "proxy public header": set(),
    "proxy test": PROXY_AREAS | {"proxy test", "proxy border", "proxy public header", "common", "test support"},
    "daemon": {"daemon", "proxy public header"},
    "daemon test": {"daemon", "proxy public header"},
    "launcher": {"launcher", "proxy public header"},
    "launcher test": {"launcher", "proxy public header"},
    "cli": {"cli", "proxy public header", "common"},
    "cli test": {"cli", "proxy public header", "common", "test support"},
    "example": {"example", "proxy public header"},
    "agent": {"agent", "agent command", "common"},
    "agent command": {"agent command", "common"},
    "agent test": {"agent test", "agent", "agent command", "common", "test support"},
    "test support": {"test support", "common", "proxy public header"},
    "test": {"test", "test support", "common", "proxy public header", "agent", "agent test"} | PROXY_AREAS,
}

# Single headers beyond that.
MAY_ALSO_INCLUDE = {
    "agent command": {"agent/dispatch.h", "agent/rendezvous.h", "agent/system.h",
                      "agent/system-win32.h", "agent/registry-win32.h", "agent/win32-error.h"},
    "test support": {"proxy/io.h"},  # a world turns a loop and moves its clock
    "proxy plumbing": {"proxy/listener.h"},  # made in either direction
    "daemon": {"common/limits.h"},
}

PURE_AREAS = {"common", "common test", "proxy pure part"}
# cpuid.h, emmintrin.h and immintrin.h are the compiler's own: a processor's instructions, on whichever system.
PURE_SYSTEM_HEADER = re.compile(
    r"glib\.h|glib/.*\.h|"
    r"(assert|cpuid|ctype|emmintrin|errno|float|immintrin|inttypes|limits|math|stdarg|stdbool|stddef|stdint|"
    r"stdlib|string)\.h")


def proxy_area(path, stem):
    if len(path.parts) > 2:
        return f"{path.parts[1]} test" if stem.endswith("-test") else path.parts[1]
    if stem.endswith(("-test", "-fixture")):
        return "proxy test"
    if path.name == "qga-proxy.h":
        return "proxy public header"
    if stem == "qga-proxy" or stem.startswith("qga-proxy-"):
        return "proxy border"
    if stem in CORE:
        return "proxy core"
    if stem in ENDPOINTS:
        return "proxy endpoint"
    return "proxy plumbing" if stem in PLUMBING else "proxy pure part"


def area_of(path):
    """The area of a C file, by its path from the root."""
    path = PurePosixPath(path)
    folder, stem = path.parts[0], path.stem
    test = stem.endswith("-test")
    if folder == "proxy":
        return proxy_area(path, stem)
    if folder == "agent":
        if test or stem.split("-")[0] == "fixture":
            return "agent test"
        return "agent command" if path.parts[1] == "commands" else "agent"
    if folder == "tests":
        return "test support" if path.parts[1] == "support" else "test"
    if folder == "examples":
        return "example"
    return f"{folder} test" if test else folder


def is_for_one_system(path):
    return re.search(r"-(posix|linux|win32)(-test)?\.[ch]$", path) is not None


# ---- C text --------------------------------------------------------------------------------------

C_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
SYSTEM_CONDITION = re.compile(
    r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b[^\n]*"
    r"\b(?:_WIN32|_WIN64|WIN32|G_OS_WIN32|G_OS_UNIX|G_PLATFORM_WIN32|__linux__|__unix__|__APPLE__"
    r"|__FreeBSD__)\b", re.MULTILINE)


def blank(text):
    """The same lines without what is written in them."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return C_TOKEN.sub(lambda m: m[0] if m[0][0] in "\"'" else blank(m[0]), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Function:
    def __init__(self, name, start, body):
        self.name, self.start, self.body, self.end = name, start, body, None
        self.table_lines = 0

    def length(self):
        return self.end - self.start + 1 - self.table_lines


def functions(text):
    """The functions of a C file, by its braces: a body is what opens behind a closing parenthesis."""
    code = DIRECTIVE.sub(lambda m: blank(m[0]), C_TOKEN.sub(lambda m: blank(m[0]), text))
    found, opened, current, statement, previous = [], [], None, 0, ""
    for match in re.finditer(r"\S", code):
        char, at = match[0], match.start()
        if char == "{":
            if not opened and previous == ")":
                name = re.search(r"(\w+)\s*\(", code[statement:at])
                current = Function(name[1] if name else "?", line_of(code, statement),
                                   line_of(code, at))
            opened.append((line_of(code, at), previous == "="))
        elif char == "}" and opened:
            line, is_table = opened.pop()
            if current and is_table:
                current.table_lines += line_of(code, at) - line
            if current and not opened:
                current.end = line_of(code, at)
                found.append(current)
                current = None
        if not opened and char in "};":
            following = re.compile(r"\S").search(code, at + 1)
            statement = following.start() if following else len(code)
        elif not opened and previous == "":
            statement = at
        previous = char
    return found


# ---- Rules ---------------------------------------------------------------------------------------

def resolve(root, path, included):
    """The path from the root of what is included in quotes; generated headers are where their folder says."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), included))
    for candidate in (beside, included, os.path.join("tests", included)):
        if (root / candidate).is_file():
            return candidate
    return included if "/" in included else beside


def is_ours(root, included):
    """Whether what stands in angle brackets is a path from the root."""
    return included.split("/")[0] in FOLDERS and (root / included).is_file()


def noun_of(path):
    """What a file is about: a noun may be in several files, beside each other."""
    return re.sub(r"(-(private|handover|guest|program|receive|send|setup|terms))?\.[ch]$", "", str(path))


def check_includes(root, path, text):
    area = area_of(path)
    for match in INCLUDE.finditer(without_comments(text)):
        line = line_of(text, match.start(2))
        if match[1] == "<" and not is_ours(root, match[2]):
            if area in PURE_AREAS and not PURE_SYSTEM_HEADER.fullmatch(match[2]):
                yield line, f"{area}: <{match[2]}> is neither GLib nor standard C"
            continue
        target = resolve(root, path, match[2])
        own = noun_of(target) == noun_of(path)
        if target.split("/")[0] not in FOLDERS:
            yield line, f'"{match[2]}" is nowhere in {", ".join(FOLDERS)}'
        elif not own and area_of(target) not in MAY_INCLUDE[area] \
                and target not in MAY_ALSO_INCLUDE.get(area, ()):
            yield line, f"{area} may not include {target} ({area_of(target)})"


def check_system_conditions(path, text):
    if is_for_one_system(path):
        return
    code = without_comments(text)
    bodies = [(function.body, function.end, function.name) for function in functions(text)]
    for match in SYSTEM_CONDITION.finditer(code):
        line = line_of(code, match.start())
        for start, end, name in bodies:
            if start < line < end:
                yield line, f"#if on the system inside {name}(): give it a file per system"


def check_lengths(path, text):
    lines = text.count("\n")
    if path.endswith(".c") and lines > MAX_FILE_LINES:
        yield lines, f"{lines} lines, at most {MAX_FILE_LINES}"
    for function in functions(text):
        if function.length() > MAX_FUNCTION_LINES:
            yield function.start, (f"{function.name}() has {function.length()} lines, "
                                   f"at most {MAX_FUNCTION_LINES}")


def licence_of(path):
    folders = PurePosixPath(path).parts[:-1]
    return "LGPL-2.1-or-later" if folders == ("proxy",) or folders[0] == "common" else "GPL-2.0-or-later"


def check_c_licence(path, text):
    wanted = f"/* SPDX-License-Identifier: {licence_of(path)} */"
    if not text.startswith(wanted + "\n"):
        yield 1, f"the first line is not {wanted}"


def check_script_licence(text):
    if not any(re.fullmatch(r"# SPDX-License-Identifier: L?GPL-\S+-or-later", line)
               for line in text.split("\n")[:2]):
        yield 1, "no SPDX-License-Identifier in the first two lines"


def breaches_of(root, path):
    data = (root / path).read_bytes()
    is_script = path.endswith((".py", ".sh", "meson.build")) or data.startswith(b"#!")
    if path.endswith((".c", ".h")):
        text = data.decode()
        yield from check_c_licence(path, text)
        yield from check_includes(root, path, text)
        yield from check_system_conditions(path, text)
        yield from check_lengths(path, text)
    elif is_script:
        yield from check_script_licence(data.decode())


def source_files(root):
    for folder in FOLDERS:
        for parent, folders, names in os.walk(root / folder):
            folders[:] = sorted(set(folders) - {"__pycache__"})
            for name in sorted(names):
                file = Path(parent, name)
                if file.is_file() and not file.is_symlink():
                    yield file.relative_to(root).as_posix()


def breaches(root):
    for path in source_files(root):
        for line, rule in breaches_of(root, path):
            yield f"{path}:{line}: {rule}"


def main():
    found = list(breaches(Path(sys.argv[1])))
    print("\n".join(found) if found else "no breach")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
