#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the library within another project, as meson does it for a subproject: subproject-test.py TREE PROJECT

Nothing is fetched. The program that results is run, and all that would be installed is the library's. TAP."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What meson does with the network, and with what is installed under our name.
OPTIONS = ["--wrap-mode=nodownload", "--force-fallback-for=qga-proxy-1"]


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        print("\n".join(f"# {line}" for line in done.stdout.splitlines()[-60:]))
    return done.returncode == 0, done.stdout


def check(number, what, holds):
    print(f"{'ok' if holds else 'not ok'} {number} {what}")


def main():
    tree, project = (Path(path).resolve() for path in sys.argv[1:])
    print("1..4")
    with tempfile.TemporaryDirectory(prefix="qga-") as folder:
        source, build = Path(folder, "project"), Path(folder, "build")
        shutil.copytree(project, source)
        source.joinpath("subprojects").mkdir()
        os.symlink(tree, source / "subprojects" / "qga-proxy")
        check(1, "is configured", run("meson", "setup", *OPTIONS, str(build), str(source))[0])
        check(2, "is built", run("meson", "compile", "-C", str(build))[0])
        check(3, "works", (build / "manager").exists() and run(str(build / "manager"))[0])
        done, text = run("meson", "introspect", "--targets", str(build))
        targets = json.loads(text) if done else []
        programs = [target["name"] for target in targets if target["type"] == "executable"]
        check(4, "builds no program of ours", programs == ["manager"])


main()
