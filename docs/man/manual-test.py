#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds a manual page to its program: manual-test.py PAGE PROGRAM

Every option that --help knows is in the page and none besides, and every limit with its default, where the page has a
section for them. TAP."""

import re
import subprocess
import sys
from pathlib import Path

UNITS = {"": 1, "K": 1024, "M": 1024 ** 2, "G": 1024 ** 3}


def section(page, title):
    found = re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", page, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def options_of_help(text):
    return set(re.findall(r"^\s+(?:-\w, )?--([\w-]+)", text, re.MULTILINE))


def options_of_page(page):
    return set(re.findall(r"\.It .*?Fl Fl ([\w-]+)", section(page, "OPTIONS")))


def limits_of_help(text):
    return {name: int(number) for name, number in re.findall(r"^\s+([a-z-]+)\s+(\d+)  ", text, re.MULTILINE)}


def limits_of_page(page):
    found = re.findall(r"\.It Cm ([a-z-]+)\n.*?;\s(\d+)([KMG]?)\b", section(page, "LIMITS"), re.DOTALL)
    return {name: int(number) * UNITS[unit] for name, number, unit in found}


def check(number, what, page, program):
    print(f"{'ok' if page == program and program else 'not ok'} {number} {what}")
    if page != program:
        print(f"# in the page: {page}\n# in the program: {program}")


def main():
    page = Path(sys.argv[1]).read_text()
    text = subprocess.run([sys.argv[2], "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    has_limits = bool(section(page, "LIMITS") or limits_of_help(text))
    print("1..2" if has_limits else "1..1")
    check(1, "options", options_of_page(page), options_of_help(text))
    if has_limits:
        check(2, "limits", limits_of_page(page), limits_of_help(text))


main()
