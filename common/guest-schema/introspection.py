# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands and events as query-qmp-schema tells of them: QAPI's entries, for one and for every type
below it.

A type is told anew with each command that uses it, so that what is told of a command stands by
itself, and a server puts its list together by concatenation. Its name there is qga.COMMAND.NUMBER:
QEMU's own types are plain numbers, and the names of commands begin otherwise, whatever a guest
calls its own.

What many of them share is not told here but by proxy/introspect.c: QAPI's builtin types, where
QEMU's schema lacks them, and EMPTY, the type of no arguments and of no result.
"""

from schema import SCALARS

EMPTY = "qga.empty"


def command_entries(schema, command):
    """The command's own entry, and those of its types behind it."""
    types = TypeEntries(schema, command)
    return [{
        "name": command.name,
        "ret-type": types.of_member(command.returns) if command.returns else EMPTY,
        "meta-type": "command",
        "arg-type": types.of_arguments(command.arguments) if command.arguments else EMPTY,
    }] + types.entries


def event_entries(schema, event):
    """The same for an event."""
    types = TypeEntries(schema, event)
    return [{
        "name": event.name,
        "meta-type": "event",
        "arg-type": types.of_arguments(event.data) if event.data else EMPTY,
    }] + types.entries


class TypeEntries:
    """The types below one command or event. Each of() returns what the type is called there."""

    def __init__(self, schema, owner):
        self.types = schema.types
        self.prefix = f"qga.{owner.name}."
        self.names = {}
        self.entries = []

    def define(self, key, describe):
        if key not in self.names:
            # Named before it is described: a type may hold itself, in a list or as an option.
            self.names[key] = f"{self.prefix}{len(self.names)}"
            self.entries.append({"name": self.names[key]} | describe())
        return self.names[key]

    def of_arguments(self, arguments):
        return self.define("arguments", lambda: self.struct(arguments))

    def of_member(self, member):
        if not member.is_list:
            return self.of_type(member.type)
        return self.define(f"[{member.type}]", lambda: {
            "element-type": self.of_type(member.type), "meta-type": "array"})

    def of_type(self, name):
        if name in SCALARS:
            return SCALARS[name].qapi
        described = self.types[name]
        if described.choices:
            return self.define(name, lambda: self.enum(described.choices))
        if described.branches:
            return self.define(name, lambda: self.alternate(described.branches))
        return self.define(name, lambda: self.struct(described.members))

    def struct(self, members):
        return {"members": [self.member(member) for member in members], "meta-type": "object"}

    def member(self, member):
        # That a member is optional shows as a default of null, also where it has a better one.
        optional = {"default": None} if member.optional else {}
        return {"name": member.name} | optional | {"type": self.of_member(member)}

    def enum(self, choices):
        # "values" is for clients that know no QEMU above 6.1, which lists them as "members" too.
        return {"members": [{"name": choice} for choice in choices], "meta-type": "enum",
                "values": list(choices)}

    def alternate(self, branches):
        return {"members": [{"type": self.of_type(branch)} for branch in branches],
                "meta-type": "alternate"}
