#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds the library to its lists: abi-test.py HEADER SYMBOLS LIBRARY VERSION

- it exports what the header declares and the list has, each with the version that the list says, and nothing else;
- what the last list in proxy/abi/ has is there, unchanged, and a version that was released gets nothing new;
- it imports what proxy/abi/imports.allowed has, and nothing else."""

import fnmatch
import re
import subprocess
import sys
import unittest
from pathlib import Path

import header
import symbols

HERE = Path(__file__).resolve().parent


def dynamic_symbols(library, kind):
    """The names, each with its version behind @ where it has one."""
    text = subprocess.run(["nm", "--dynamic", "--with-symbol-versions", f"--{kind}-only", library],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split()[-1] for line in text.splitlines()]


def exported(library):
    """The version of each symbol; the versions' own names are symbols too, and are left out."""
    found = (name.partition("@@") for name in dynamic_symbols(library, "defined"))
    return {name: version.removeprefix("QGA_PROXY_") for name, _, version in found if not name.startswith("QGA_PROXY_")}


def last_list():
    """Its version, and what it has."""
    path = max(HERE.glob("*.symbols"), key=lambda path: symbols.number(path.stem))
    return path.stem, header.read_list(path)


def broken(former, current):
    """What a program that relied on the former interface does not find in the current one."""
    for name in sorted(former):
        if name not in current:
            yield f"{name} has vanished; it was: {former[name]}"
        elif former[name] != current[name]:
            yield f"{name} was: {former[name]}, and is: {current[name]}"


def misplaced(former, version, current, project):
    """New symbols that claim to be of a version that was released without them."""
    if symbols.number(project)[:2] <= symbols.number(version):
        return  # that version is still being made
    for name in sorted(set(current) - set(former)):
        since = current[name].split()[0]
        if re.fullmatch(r"\d+\.\d+", since) and symbols.number(since) <= symbols.number(version):
            yield f"{name} cannot be of version {since}, which was released without it"


def not_allowed(names, allowed):
    return [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)]


class Lists(unittest.TestCase):
    maxDiff = None

    def test_exports(self):
        listed = symbols.read(SYMBOLS)
        self.assertEqual(sorted(listed), sorted(HEADER.functions), f"{SYMBOLS} and the header")
        self.assertEqual(exported(LIBRARY), listed, "the library and its list")

    def test_types_of_enumerations(self):
        """Their members are written down a second time, with their names, and one may be forgotten."""
        text = Path(LIBRARY).read_bytes()
        for member in HEADER.members:
            with self.subTest(member):
                self.assertIn(b"\0" + member.partition(".")[2].encode() + b"\0", text)

    def test_nothing_lost(self):
        version, former = last_list()
        current = header.interface(HEADER, symbols.read(SYMBOLS))
        found = [*broken(former, current), *misplaced(former, version, current, PROJECT)]
        self.assertEqual(found, [], f"against {version}")

    def test_imports(self):
        lines = (line.partition("#")[0].strip() for line in (HERE / "imports.allowed").read_text().splitlines())
        imported = {name.partition("@")[0] for name in dynamic_symbols(LIBRARY, "undefined")}
        self.assertIn("g_object_new", imported)
        # Those of the sanitizers, where it is built with them.
        imported = {name for name in imported if not re.match(r"__[a-z]+san_", name)}
        self.assertEqual(not_allowed(sorted(imported), [line for line in lines if line]), [])


class Catches(unittest.TestCase):
    """That each kind of breach would be found."""

    old = "typedef enum { A, B = 4, C } E;\nQGA_PROXY_API int *f(const char *a, GError **e);\n" \
          "typedef void (*Func)(int fd, gpointer data);\nQGA_PROXY_API G_DECLARE_FINAL_TYPE(T, t, Q, T, GObject)\n" \
          "QGA_PROXY_API void g(void) G_GNUC_DEPRECATED_FOR(f);"

    def interface(self, text):
        return header.interface(header.Header(text), {"f": "0.1", "g": "0.1", "t_get_type": "0.1", "h": "0.1"})

    def test_reads(self):
        self.assertEqual(self.interface(self.old), {
            "E.A": "= 0", "E.B": "= 4", "E.C": "= 5", "Func": "callback void (int, gpointer)",
            "f": "0.1 int * (const char *, GError **)", "g": "0.1 void (void)", "t_get_type": "0.1 GType (void)"})

    def test_changes(self):
        former = self.interface(self.old)
        for old, new, says in (("A, B", "B", ["E.A has vanished", ]), ("B = 4", "B", ["E.B was", "E.C was"]),
                               ("const char *a", "char *a", ["f was"]), ("*f(", "f(", ["f was"]),
                               ("int fd", "gint64 fd", ["Func was"]), ("int *f", "int *h", ["f has vanished"]),
                               ("char *a", "char *b", []), ("} E", ", D } E", [])):
            with self.subTest(new):
                found = list(broken(former, self.interface(self.old.replace(old, new))))
                self.assertEqual([line[:len(word)] for line, word in zip(found, says)], says)
                self.assertEqual(len(found), len(says))

    def test_late(self):
        former = self.interface(self.old)
        current = self.interface(self.old + "QGA_PROXY_API void h(void);")
        self.assertEqual(list(misplaced(former, "0.1", current, "0.1.0")), [])
        self.assertEqual(len(list(misplaced(former, "0.1", current, "0.2.0"))), 1)

    def test_forbidden(self):
        allowed = ["g_str*", "close"]
        self.assertEqual(not_allowed(["close", "g_strdup", "fork", "g_spawn_async", "closedir"], allowed),
                         ["fork", "g_spawn_async", "closedir"])


if __name__ == "__main__":
    SYMBOLS, LIBRARY, PROJECT = sys.argv[2:5]
    HEADER = header.Header(Path(sys.argv[1]).read_text())
    unittest.main(argv=sys.argv[:1], verbosity=2)
