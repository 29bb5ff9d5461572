#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mistake in a schema is found, and the message names its place; what query-qmp-schema
tells of a command is told once and whole."""

import json
import unittest

from introspection import command_entries
from schema import PRIVILEGES, Schema, SchemaError


def valid():
    return {
        "prefix": "guest",
        "types": {
            "GuestMode": {"enum": {"on": "On.", "off": "Off."}, "doc": "A mode."},
            "GuestChoice": {"alternate": ["bool", "GuestMode"], "doc": "A choice."},
            "GuestPart": {"struct": {"id": {"type": "int", "doc": "A number."}}, "doc": "A part."},
        },
        "commands": {
            "guest-set": {
                "since": "1.0",
                "arguments": {
                    "mode": {"type": "GuestChoice", "default": "on", "doc": "Which."},
                    "parts": {"type": ["GuestPart"], "doc": "Of what."},
                },
                "class": "quick",
                "privileges": ["config"],
                "doc": ["Sets", "it."],
            },
        },
    }


class SchemaErrors(unittest.TestCase):
    def expect(self, words, change):
        root = valid()
        change(root)
        with self.assertRaises(SchemaError) as caught:
            Schema(json.dumps(root))
        self.assertIn(words, str(caught.exception))

    def test_valid_is_accepted(self):
        schema = Schema(json.dumps(valid()))
        self.assertEqual([described.name for described in schema.argument_types],
                         ["GuestMode", "GuestChoice", "GuestPart"])
        self.assertEqual(schema.commands[0].doc, "Sets it.")
        self.assertEqual(schema.commands[0].privileges, ["config"])

    def test_all_privileges(self):
        root = valid()
        root["commands"]["guest-set"]["privileges"] = "all"
        self.assertEqual(Schema(json.dumps(root)).commands[0].privileges, list(PRIVILEGES))

    def test_text(self):
        for text, words in [("{", "line 1: "),
                            ('{"types": {}, "types": {}}', "types: is there twice")]:
            with self.assertRaises(SchemaError) as caught:
                Schema(text)
            self.assertIn(words, str(caught.exception))

    def test_prefix(self):
        self.expect("lacks 'prefix'", lambda root: root.pop("prefix"))
        self.expect("prefix: must be words", lambda root: root.update({"prefix": "Guest-"}))
        self.expect("types.GuestMode: is no name like QgaProxySomething",
                    lambda root: root.update({"prefix": "qga-proxy"}))

    def test_command(self):
        def command(**changes):
            return lambda root: root["commands"]["guest-set"].update(changes)

        self.expect("commands.guest-set.class: must be one of", command(**{"class": "fast"}))
        self.expect("commands.guest-set.flags: 'loud' is none of", command(flags=["loud"]))
        self.expect("commands.guest-set.privileges: 'root' is none of", command(privileges=["root"]))
        self.expect("commands.guest-set.privileges: is empty", command(privileges=[]))
        self.expect("commands.guest-set.privileges: must be a list", command(privileges="config"))
        self.expect("lacks 'privileges'", lambda root: root["commands"]["guest-set"].pop("privileges"))
        self.expect("commands.guest-set.since: must be a version", command(since=1.0))
        self.expect("commands.guest-set.doc: must be sentences", command(doc="no stop"))
        self.expect("has a member 'retruns' that means nothing", command(retruns="int"))
        self.expect("what is shared must be read-only", command(flags=["shared"]))
        self.expect("silent on success",
                    command(flags=["silent"], returns={"type": "int", "doc": "It."}))
        self.expect("commands.set: is no name",
                    lambda root: root["commands"].update({"set": root["commands"]["guest-set"]}))
        self.expect("lacks 'doc'", lambda root: root["commands"]["guest-set"].pop("doc"))

    def test_systems(self):
        def systems(value):
            return lambda root: root["commands"]["guest-set"].update(systems=value)

        for value in [], ["dos"], "linux", ["linux", "dos"]:
            self.expect("commands.guest-set.systems: must be some of linux, windows", systems(value))

    def test_argument(self):
        def argument(name, entry):
            return lambda root: root["commands"]["guest-set"]["arguments"].update({name: entry})

        place = "commands.guest-set.arguments"
        self.expect(f"{place}.x: type 'float' is not described",
                    argument("x", {"type": "float", "doc": "It."}))
        self.expect(f"{place}.x: a number can only be returned",
                    argument("x", {"type": "number", "doc": "It."}))
        self.expect(f"{place}.while: is no name", argument("while", {"type": "int", "doc": "It."}))
        self.expect(f"{place}.Big: is no name", argument("Big", {"type": "int", "doc": "It."}))
        self.expect(f"{place}.x: default 'high' is no value",
                    argument("x", {"type": "GuestMode", "default": "high", "doc": "It."}))
        self.expect(f"{place}.x: default True is no value",
                    argument("x", {"type": "int", "default": True, "doc": "It."}))
        self.expect(f"{place}.x: with a default is optional anyway",
                    argument("x", {"type": "int", "default": 1, "optional": True, "doc": "It."}))
        self.expect(f"{place}.x: a list's type",
                    argument("x", {"type": ["int", "str"], "doc": "It."}))

    def test_too_many_arguments(self):
        many = {f"a{i}": {"type": "int", "doc": "It."} for i in range(33)}
        self.expect("more than 32 members",
                    lambda root: root["commands"]["guest-set"].update({"arguments": many}))

    def test_type(self):
        def described(name, entry):
            return lambda root: root["types"].update({name: entry})

        self.expect("types.GuestMore: is used nowhere",
                    described("GuestMore", {"enum": {"a": "A."}, "doc": "More."}))
        self.expect("types.Mode: is no name",
                    described("Mode", {"enum": {"a": "A."}, "doc": "It."}))
        self.expect("must have one of", described("GuestPart", {"doc": "Nothing."}))
        self.expect("two branches look alike",
                    described("GuestChoice", {"alternate": ["int", "int"], "doc": "It."}))
        self.expect("'str' is no int, bool or enum",
                    described("GuestChoice", {"alternate": ["str"], "doc": "It."}))
        self.expect("types.GuestPart: holds itself",
                    lambda root: root["types"]["GuestPart"]["struct"].update(
                        {"inner": {"type": "GuestPart", "doc": "Again."}}))


class Introspection(unittest.TestCase):
    def entries(self, **changes):
        root = valid()
        root["commands"]["guest-set"].update(changes)
        schema = Schema(json.dumps(root))
        return command_entries(schema, schema.commands[0])

    def test_command(self):
        self.assertEqual(self.entries(), [
            {"name": "guest-set", "ret-type": "qga.empty", "meta-type": "command",
             "arg-type": "qga.guest-set.0"},
            {"name": "qga.guest-set.2", "members": [{"name": "on"}, {"name": "off"}],
             "meta-type": "enum", "values": ["on", "off"]},
            {"name": "qga.guest-set.1", "members": [{"type": "bool"}, {"type": "qga.guest-set.2"}],
             "meta-type": "alternate"},
            {"name": "qga.guest-set.4", "members": [{"name": "id", "type": "int"}],
             "meta-type": "object"},
            {"name": "qga.guest-set.3", "element-type": "qga.guest-set.4", "meta-type": "array"},
            {"name": "qga.guest-set.0", "meta-type": "object", "members": [
                {"name": "mode", "default": None, "type": "qga.guest-set.1"},
                {"name": "parts", "type": "qga.guest-set.3"}]},
        ])

    def test_shared_types(self):
        """A type that a command uses twice is told once; a list of it is another type."""
        entries = self.entries(returns={"type": "GuestPart", "doc": "One."})
        self.assertEqual(len(entries), 6)
        [part] = [entry for entry in entries
                  if entry.get("members") == [{"name": "id", "type": "int"}]]
        self.assertEqual(entries[0]["ret-type"], part["name"])
        [array] = [entry for entry in entries if entry["meta-type"] == "array"]
        self.assertEqual(array["element-type"], part["name"])
        entries = self.entries(returns={"type": "uint64", "doc": "It."})
        self.assertEqual(entries[0]["ret-type"], "int")

    def test_type_in_itself(self):
        root = valid()
        below = {"below": {"type": ["GuestTree"], "doc": "What is below."}}
        root["types"] = {"GuestTree": {"struct": below, "doc": "A tree."}}
        root["commands"]["guest-set"].pop("arguments")
        root["commands"]["guest-set"]["returns"] = {"type": "GuestTree", "doc": "All."}
        schema = Schema(json.dumps(root))
        self.assertEqual(command_entries(schema, schema.commands[0])[1:], [
            {"name": "qga.guest-set.1", "element-type": "qga.guest-set.0", "meta-type": "array"},
            {"name": "qga.guest-set.0", "members": [{"name": "below", "type": "qga.guest-set.1"}],
             "meta-type": "object"},
        ])


if __name__ == "__main__":
    unittest.main()
