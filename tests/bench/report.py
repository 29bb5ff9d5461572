# SPDX-License-Identifier: GPL-2.0-or-later
"""What was found, as a table for people and as JSON."""

import json
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

import rows


def number(value):
    """Three digits are all that means something."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def middle(values):
    return number(statistics.median(values)) if values else ""


def spread(values):
    """The median, and the range if there is one."""
    if len(values) < 2:
        return middle(values)
    return f"{middle(values)} ({number(min(values))}–{number(max(values))})"


def line(row, figure):
    cells = [str(row.number), row.name, row.against or "", str(row.goal)]
    if figure.missing:
        return [*cells, "", "", figure.missing, ""]
    ours = f"{middle(figure.ours)} {row.unit}".strip() if figure.theirs else f"{spread(figure.ours)} {row.unit}".strip()
    theirs = f"{middle(figure.theirs)} {row.unit}".strip() if figure.theirs else ""
    verdict = "met" if row.goal.is_met(figure.middle()) else "not met"
    return [*cells, ours, theirs, spread(figure.ratios), verdict]


HEADINGS = ["#", "what", "beside", "goal", "ours", "theirs", "ratio", ""]


def lines(figures):
    return [line(row, figures[row.key]) for row in rows.ROWS if row.key in figures]


def table(figures):
    """As Markdown, which a terminal shows as well."""
    cells = [HEADINGS, *lines(figures)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    text = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in cells]
    text.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in text)


def keep(page, text):
    """In place of the table that stands there."""
    before, begin, rest = page.read_text().partition("<!-- the last table -->\n")
    _, end, behind = rest.partition("<!-- its end -->")
    if not end:
        raise ValueError(f"{page} has no place for a table")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{behind}")


def as_json(figures):
    return json.dumps([{
        "row": row.number, "name": row.name, "against": row.against, "unit": row.unit, "goal": str(row.goal),
        "ours": statistics.median(figure.ours) if figure.ours else None,
        "theirs": statistics.median(figure.theirs) if figure.theirs else None,
        "ratio": statistics.median(figure.ratios) if figure.ratios else None,
        "rounds": {"ours": figure.ours, "theirs": figure.theirs}, "missing": figure.missing,
    } for row in rows.ROWS if (figure := figures.get(row.key))], indent=2) + "\n"


def machine():
    """In one line."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\S+)", qemu)
    return (f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, Linux {platform.release()}, "
            f"QEMU {version.group(1) if version else 'unknown'}, load {os.getloadavg()[0]:.1f}")
