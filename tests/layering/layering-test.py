#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves that layering.py catches each kind of breach, names its place, and lets what is right pass."""

import tempfile
import unittest
from pathlib import Path

import layering

LGPL = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
GPL = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"


class LayeringTest(unittest.TestCase):
    def breaches(self, tree):
        """What is found in a tree of these files."""
        with tempfile.TemporaryDirectory() as folder:
            for path, text in tree.items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            return list(layering.breaches(Path(folder)))

    def assert_breach(self, tree, *parts):
        found = self.breaches(tree)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def assert_include(self, path, included, allowed):
        """Whether @path may include @included, where both exist."""
        def licence(name):
            return f"/* SPDX-License-Identifier: {layering.licence_of(name)} */\n"
        tree = {included: licence(included)}
        tree[path] = f'{licence(path)}\n#include "{included}"\n'
        if allowed:
            self.assertEqual(self.breaches(tree), [])
        else:
            self.assert_breach(tree, f"{path}:3: ", f"may not include {included}")

    def test_allowed_includes(self):
        for path, included in (
                ("common/a.c", "common/b.h"),
                ("common/a-test.c", "tests/support/cut.h"),
                ("proxy/router.c", "common/b.h"),
                ("proxy/router.c", "proxy/pending.h"),
                ("proxy/client.c", "proxy/client.h"),
                ("proxy/client.c", "proxy/router.h"),
                ("proxy/client.h", "proxy/io.h"),
                ("proxy/link.c", "proxy/listener.h"),
                ("proxy/core.c", "proxy/client.h"),
                ("proxy/qga-proxy.c", "proxy/core.h"),
                ("proxy/qga-proxy.c", "proxy/qga-proxy.h"),
                ("proxy/daemon/main.c", "proxy/qga-proxy.h"),
                ("proxy/launcher/main.c", "proxy/launcher/plan.h"),
                ("proxy/launcher/plan-test.c", "proxy/launcher/plan.h"),
                ("cli/main.c", "common/b.h"),
                ("examples/embed.c", "proxy/qga-proxy.h"),
                ("agent/commands/file.c", "agent/dispatch.h"),
                ("agent/commands/file.c", "agent/system.h"),
                ("agent/commands/file.c", "agent/commands/base64.h"),
                ("agent/main.c", "agent/channel.h"),
                ("tests/fuzz/a.c", "common/b.h")):
            with self.subTest(path=path, included=included):
                self.assert_include(path, included, allowed=True)

    def test_forbidden_includes(self):
        for path, included in (
                ("common/a.c", "proxy/router.h"),
                ("common/a.c", "agent/dispatch.h"),
                ("common/a.c", "tests/support/cut.h"),
                ("proxy/router.c", "proxy/client.h"),
                ("proxy/pending.c", "proxy/io.h"),
                ("proxy/config.c", "proxy/core.h"),
                ("proxy/client.c", "proxy/upstream.h"),
                ("proxy/upstream.c", "proxy/agent-lane.h"),
                ("proxy/client.c", "proxy/core.h"),
                ("proxy/io.c", "proxy/client.h"),
                ("proxy/core.c", "proxy/qga-proxy.h"),
                ("proxy/core.c", "agent/dispatch.h"),
                ("proxy/daemon/main.c", "proxy/core.h"),
                ("proxy/daemon/main.c", "common/b.h"),
                ("proxy/daemon/main.c", "proxy/launcher/plan.h"),
                ("proxy/launcher/main.c", "proxy/daemon/service.h"),
                ("proxy/launcher/main.c", "common/b.h"),
                ("proxy/launcher/main.c", "proxy/config.h"),
                ("cli/main.c", "proxy/client.h"),
                ("examples/embed.c", "common/b.h"),
                ("agent/commands/file.c", "agent/channel.h"),
                ("agent/commands/file.c", "agent/log.h"),
                ("agent/commands/file.c", "proxy/router.h"),
                ("agent/main.c", "proxy/qga-proxy.h"),
                ("agent/main.c", "tests/support/cut.h")):
            with self.subTest(path=path, included=included):
                self.assert_include(path, included, allowed=False)

    def test_relative_include(self):
        tree = {"proxy/core.h": LGPL, "proxy/daemon/main.c": GPL + '#include "../core.h"\n'}
        self.assert_breach(tree, "proxy/daemon/main.c:2: ", "proxy/core.h")

    def test_include_beside(self):
        tree = {"proxy/upstream.h": LGPL, "proxy/client.c": LGPL + '#include "upstream.h"\n'}
        self.assert_breach(tree, "proxy/client.c:2: ", "proxy/upstream.h")

    def test_brackets_hide_nothing(self):
        for path, header, allowed in (("proxy/daemon/main.c", "proxy/core.h", False),
                                      ("examples/a.c", "common/b.h", False),
                                      ("examples/a.c", "proxy/qga-proxy.h", True)):
            with self.subTest(path=path):
                tree = {header: LGPL, path: f"{GPL}#include <{header}>\n#include <qga-proxy.h>\n#include <gio/gio.h>\n"}
                self.assertEqual(self.breaches(tree) == [], allowed)

    def test_include_of_nothing(self):
        self.assert_breach({"common/a.c": LGPL + '#include "/etc/a.h"\n'}, "common/a.c:2: ", "nowhere")

    def test_include_in_a_comment(self):
        tree = {"common/a.c": LGPL + '/*\n#include "proxy/core.h"\n*/\n// #include <gio/gio.h>\n'}
        self.assertEqual(self.breaches(tree), [])

    def test_system_headers(self):
        for path in ("common/a.c", "common/a-test.c", "proxy/router.c"):
            for header in ("gio/gio.h", "sys/socket.h", "pthread.h", "unistd.h", "time.h", "stdio.h"):
                with self.subTest(path=path, header=header):
                    self.assert_breach({path: f"{LGPL}#include <glib.h>\n#include <{header}>\n"},
                                       f"{path}:3: ", header)
        for path in ("proxy/client.c", "proxy/core.c"):
            self.assertEqual(self.breaches({path: f"{LGPL}#include <gio/gio.h>\n"}), [])

    def test_condition_inside_function(self):
        inside = "static int f(void)\n{\n#ifdef G_OS_WIN32\n    return 1;\n#endif\n    return 0;\n}\n"
        self.assert_breach({"agent/a.c": GPL + inside}, "agent/a.c:4: ", "f()")
        self.assertEqual(self.breaches({"agent/a-win32.c": GPL + inside}), [])
        for condition in ("#if defined(_WIN32)", "#  ifndef __linux__", "#if !defined G_OS_UNIX"):
            self.assert_breach({"agent/a.c": GPL + inside.replace("#ifdef G_OS_WIN32", condition)},
                               "agent/a.c:4: ")

    def test_condition_elsewhere(self):
        text = ("#ifdef G_OS_WIN32\n#include <windows.h>\n#endif\n"
                "static int f(void)\n{\n#ifdef DEBUG\n    return 1;\n#endif\n    return 0;\n}\n"
                "#ifdef G_OS_WIN32\nint x;\n#endif\n")
        self.assertEqual(self.breaches({"agent/a.c": GPL + text}), [])

    def test_long_file(self):
        self.assertEqual(self.breaches({"agent/a.c": GPL + "\n" * 799}), [])
        self.assert_breach({"agent/a.c": GPL + "\n" * 800}, "agent/a.c:801: ", "801 lines")

    def test_long_function(self):
        def function(lines):
            return "static int f(int a,\n             int b)\n{\n" + "    a++;\n" * (lines - 4) + "}\n"
        self.assertEqual(self.breaches({"agent/a.c": GPL + "int x;\n" + function(80)}), [])
        self.assert_breach({"agent/a.c": GPL + "int x;\n" + function(81)}, "agent/a.c:3: ", "f()", "81")

    def test_long_table(self):
        table = "{\n" + '    {"a", {1, 2}},\n' * 300 + "}"
        outside = f"static const T table[] = {table};\n"
        inside = f"static void f(void)\n{{\n    static const T table[] = {table};\n    g(table);\n}}\n"
        self.assertEqual(self.breaches({"agent/a.c": GPL + outside + inside}), [])

    def test_braces_in_text(self):
        text = ("static void f(void)\n{\n    g(\"}\", '{', \"\\\"{\"); /* } */\n#define H {\n}\n"
                + "static void h(void)\n{\n" + "    g();\n" * 90 + "}\n")
        self.assert_breach({"agent/a.c": GPL + text}, "agent/a.c:7: ", "h()", "93 lines")

    def test_licences(self):
        for path, text in (("common/a.c", GPL), ("common/a.h", ""), ("proxy/a.c", GPL),
                           ("proxy/daemon/a.c", LGPL), ("agent/a.c", LGPL), ("tests/a.c", "\n" + GPL)):
            with self.subTest(path=path):
                self.assert_breach({path: text}, f"{path}:1: ", "SPDX-License-Identifier")

    def test_script_licences(self):
        for path, text in (("tests/a.py", "import sys\n"), ("tests/run", "#!/bin/sh\necho\n"),
                           ("agent/meson.build", "subdir('a')\n")):
            with self.subTest(path=path):
                self.assert_breach({path: text}, f"{path}:1: ", "SPDX-License-Identifier")
                first, _, rest = text.partition("\n")
                right = f"{first}\n# SPDX-License-Identifier: GPL-2.0-or-later\n{rest}"
                self.assertEqual(self.breaches({path: right}), [])

    def test_other_files(self):
        self.assertEqual(self.breaches({"tests/corpus/a.json": "{}", "tests/init": "text\n"}), [])


if __name__ == "__main__":
    unittest.main()
