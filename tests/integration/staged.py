# SPDX-License-Identifier: GPL-2.0-or-later
"""The library as whoever installed it has it: programs are built in a folder of their own, from nothing else."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.image import BUILD, SOURCE

EXAMPLES = SOURCE / "examples"
GUIDE = SOURCE / "docs" / "embedding.md"
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wmissing-prototypes", "-Wno-unused-parameter",
            "-Wno-missing-field-initializers", "-Werror"]


def blocks(language):
    """Those of the guide, in their order."""
    found, block = [], None
    for line in GUIDE.read_text().splitlines(keepends=True):
        if block is None and line.strip() == f"```{language}":
            block = ""
        elif block is not None and line.strip() == "```":
            found.append(block)
            block = None
        elif block is not None:
            block += line
    return found


class Staged:
    """Usage: with Staged() as staged: ...

      environment  with which programs find the library
      sanitizers   of the build under test, or "none"
    """

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="qga-"))
        root = self.folder / "root"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        options = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", BUILD], stdout=subprocess.PIPE,
                                            check=True).stdout)
        options = {option["name"]: option["value"] for option in options}
        self.sanitizers = options["b_sanitize"]
        installed = Path(f"{root}{options['prefix']}")
        libraries = installed / options["libdir"]
        self.typelibs = libraries / "girepository-1.0"
        self.environment = {**os.environ, "PKG_CONFIG_PATH": str(libraries / "pkgconfig"),
                            "LD_LIBRARY_PATH": str(libraries), "GI_TYPELIB_PATH": str(self.typelibs)}
        return self

    def __exit__(self, *exception):
        shutil.rmtree(self.folder, ignore_errors=True)

    def build(self, name, text, *options):
        """What is made of a C file; options come behind those that find the library."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        (place / f"{name}.c").write_text(text)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "qga-proxy-1"], stdout=subprocess.PIPE, text=True,
                               env=self.environment, check=True).stdout.split()
        if self.sanitizers != "none":
            flags.append(f"-fsanitize={self.sanitizers}")
        done = subprocess.run(["cc", *WARNINGS, "-o", name, f"{name}.c", *flags, *options], cwd=place,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.environment, check=False)
        assert done.returncode == 0, done.stdout
        return place / name

    def start(self, *command, **options):
        """A program that ends with this one, however that ends."""
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, env=self.environment, text=True, **options)

    def python(self):
        """A Python that has Debian's python3-gi; or None, and why there is none."""
        if not list(self.typelibs.glob("QgaProxy-*.typelib")):
            return None, "the library was built without introspection"
        for python in sys.executable, "/usr/bin/python3":
            if os.access(python, os.X_OK) and subprocess.run([python, "-c", "import gi"], stderr=subprocess.DEVNULL,
                                                             check=False).returncode == 0:
                return python, None
        return None, "no Python here has python3-gi"
