#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds what an embedder sees and nothing explains: documented-test.py GIR

Whether each type, function, signal, property, field and member of an enumeration, each parameter but the instance, and
each value that is returned has a text. TAP."""

import sys
import xml.etree.ElementTree as ET

CORE = "{http://www.gtk.org/introspection/core/1.0}"
GLIB = "{http://www.gtk.org/introspection/glib/1.0}"
CALLS = {CORE + name for name in ("constructor", "method", "function", "callback", "virtual-method")}
CALLS.add(GLIB + "signal")
TYPES = {CORE + name
         for name in ("class", "interface", "record", "union", "enumeration", "bitfield", "alias", "constant")}
PARTS = {CORE + name for name in ("member", "property", "field")}


def is_silent(element):
    """What a reader of the documentation does not see: a class structure of GObject's and all that is in it."""
    return element.get(GLIB + "is-gtype-struct-for") is not None or element.get("introspectable") == "private"


def lacks_text(element):
    doc = element.find(CORE + "doc")
    return doc is None or not (doc.text or "").strip()


def holes_of_call(element, name):
    for parameter in element.iterfind(f"{CORE}parameters/{CORE}parameter"):
        if lacks_text(parameter):
            yield f"{name}: parameter {parameter.get('name')}"
    result = element.find(CORE + "return-value")
    if result is not None and lacks_text(result) and result.find(f"{CORE}type[@name='none']") is None:
        yield f"{name}: what it returns"


def holes(element, path=""):
    """The names of what has no text, below an element."""
    for child in element:
        if is_silent(child) or child.tag not in CALLS | TYPES | PARTS:
            continue
        name = f"{path}{child.get('name')}"
        if lacks_text(child):
            yield name
        if child.tag in CALLS:
            yield from holes_of_call(child, name)
        yield from holes(child, f"{name}.")


SPECIMEN = f"""<n xmlns="{CORE[1:-1]}" xmlns:glib="{GLIB[1:-1]}">
  <class name="A"><doc>a</doc>
    <method name="m"><return-value><type name="utf8"/></return-value>
      <parameters><instance-parameter name="self"/><parameter name="p"/></parameters></method>
    <glib:signal name="s"><return-value><type name="none"/></return-value></glib:signal>
    <property name="q"/></class>
  <enumeration name="E"><doc> </doc><member name="x"/></enumeration>
  <record name="AClass" glib:is-gtype-struct-for="A"><field name="f"/></record></n>"""


def main():
    namespace = ET.parse(sys.argv[1]).getroot().find(CORE + "namespace")
    found = list(holes(namespace))
    caught = list(holes(ET.fromstring(SPECIMEN)))
    wanted = ["A.m", "A.m: parameter p", "A.m: what it returns", "A.s", "A.q", "E", "E.x"]
    print("1..2")
    print("\n".join(f"# without a text: {name}" for name in found))
    print(f"{'not ok' if found or not len(namespace) else 'ok'} 1 everything has a text")
    print(f"{'ok' if caught == wanted else 'not ok'} 2 what has none is found")


main()
