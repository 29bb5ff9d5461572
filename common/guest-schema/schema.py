# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest schema as objects, checked on the way in.

The names of its commands begin with its `prefix`, those of its types with the same in capitals:
guest- and Guest, qga-proxy- and QgaProxy. Events are called GUEST_SOMETHING. A command that not every
guest has names its `systems`; the proxy knows all.

Two notions of class, kept apart: a command's `class` says how long it may take, its `privileges` what it can do to
the guest, by which the guest's administrator blocks and allows (agent/policy.h). Of several privileges any one will
do; "all" is what no host can do without, and goes with each.

A type is named by a word, or by a list of one word for a list of that type. `base64` is a string
that the agent does not copy. `doc` is one string or several that are joined by spaces.
"""

import json
import re
import typing


class Scalar(typing.NamedTuple):
    field: str  # GUEST_FIELD_ in fields.h
    c_type: str
    json_kind: str  # JSON_KIND_ in json-read.h
    python: type  # of a default
    qapi: str  # builtin type in query-qmp-schema
    words: str


SCALARS = {
    "int": Scalar("INT", "gint64", "NUMBER", int, "int", "integer"),
    "uint64": Scalar("UINT64", "guint64", "NUMBER", int, "int", "integer, not negative"),
    "bool": Scalar("BOOL", "gboolean", "BOOLEAN", bool, "bool", "boolean"),
    "str": Scalar("STR", "char *", "STRING", str, "str", "string"),
    "base64": Scalar("BASE64", "JsonSpan", "STRING", str, "str", "string in base64"),
    "number": Scalar("", "", "NUMBER", float, "number", "number"),
}
RETURNED_ONLY = {"number"}  # no argument is one yet, so that fields.h does not read any
CLASSES = ["quick", "slow", "freeze", "thaw", "shutdown"]
PRIVILEGES = {  # privilege: what it lets a host do
    "audit": "look at the guest, without changing it",
    "file-read": "read files",
    "file-write": "write files",
    "fs": "freeze, thaw and trim filesystems",
    "exec": "run programs",
    "power": "shut down and suspend",
    "user": "passwords and keys of users",
    "config": "clock, processors, memory",
}
FLAGS = {  # flag: what it means
    "frozen": "served while filesystems are frozen",
    "silent": "success is not answered, failure is",
    "bulk": "the reply may be tens of megabytes",
    "read-only": "changes nothing that another command tells of",
    "shared": "one answer may serve several who ask",
    "logged": "each call is told to the system's log, without its arguments",
    "beside": "may take long, so that our agent runs it beside others, on a thread",
    "channel": "is about the channel itself: for whoever holds that, and not passed on by the proxy",
}
SYSTEMS = ["linux", "windows"]  # that the agent runs on, as meson calls them
MAX_FIELDS = 32  # GUEST_STRUCT_MAX_FIELDS
NAME = re.compile(r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$")
PREFIX = re.compile(r"^[a-z]+(-[a-z]+)*$")
C_KEYWORDS = set(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register return short signed sizeof static struct switch typedef union "
    "unsigned void volatile while".split())


class SchemaError(Exception):
    def __init__(self, place, text):
        super().__init__(f"{place}: {text}")


def unique_object(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            raise SchemaError(key, "is there twice")
        found[key] = value
    return found


def check_keys(place, entry, required, optional=()):
    if not isinstance(entry, dict):
        raise SchemaError(place, "must be an object")
    for key in required:
        if key not in entry:
            raise SchemaError(place, f"lacks '{key}'")
    for key in entry:
        if key not in required and key not in optional:
            raise SchemaError(place, f"has a member '{key}' that means nothing")


def capitals(name):
    return "".join(map(str.capitalize, name.split("-")))


def doc_text(place, doc):
    text = " ".join(doc) if isinstance(doc, list) else doc
    if not isinstance(text, str) or not text.strip().endswith((".", "?")):
        raise SchemaError(f"{place}.doc", "must be sentences")
    return text


class Member:
    """An argument of a command, or a member of a struct."""

    def __init__(self, place, name, entry):
        check_keys(place, entry, ["type", "doc"], ["optional", "default"])
        if not NAME.match(name) or name in C_KEYWORDS:
            raise SchemaError(place, "is no name that C can have")
        self.place, self.name = place, name
        self.c_name = name.replace("-", "_")
        self.doc = doc_text(place, entry["doc"])
        self.is_list = isinstance(entry["type"], list)
        if self.is_list and len(entry["type"]) != 1:
            raise SchemaError(place, "a list's type is written as a list of one type")
        self.type = entry["type"][0] if self.is_list else entry["type"]
        if not isinstance(self.type, str):
            raise SchemaError(place, "a type is a word")
        self.has_default = "default" in entry
        self.default = entry.get("default")
        self.optional = entry.get("optional", False) or self.has_default
        if self.has_default and "optional" in entry:
            raise SchemaError(place, "with a default is optional anyway")
        if self.has_default and (self.is_list or not isinstance(self.default, (str, int))):
            raise SchemaError(place, "only a string, an integer or a boolean can be a default")


class Type:
    """A struct, an enum or an alternate."""

    def __init__(self, prefix, name, entry):
        place = f"types.{name}"
        if not re.match(f"^{capitals(prefix)}([A-Z][a-z0-9]*)+$", name):
            raise SchemaError(place, f"is no name like {capitals(prefix)}Something")
        if not isinstance(entry, dict):
            raise SchemaError(place, "must be an object")
        kinds = [kind for kind in ("struct", "enum", "alternate") if kind in entry]
        if len(kinds) != 1:
            raise SchemaError(place, "must have one of 'struct', 'enum' and 'alternate'")
        check_keys(place, entry, [kinds[0], "doc"])
        self.name, self.place, self.kind = name, place, kinds[0]
        self.doc = doc_text(place, entry["doc"])
        body = entry[self.kind]
        if not body or not isinstance(body, list if self.kind == "alternate" else dict):
            raise SchemaError(f"{place}.{self.kind}", "is empty or of the wrong type")
        self.members = members_of(f"{place}.struct", body) if self.kind == "struct" else []
        self.choices = {key: doc_text(f"{place}.enum.{key}", text)
                        for key, text in body.items()} if self.kind == "enum" else {}
        self.branches = body if self.kind == "alternate" else []


def check_command_name(place, prefix, name):
    if not re.match(f"^{prefix}(-[a-z0-9]+)+$", name):
        raise SchemaError(place, f"is no name like {prefix}-something")


def class_and_flags_of(place, entry):
    if entry["class"] not in CLASSES:
        raise SchemaError(f"{place}.class", f"must be one of {', '.join(CLASSES)}")
    flags = entry.get("flags", [])
    for flag in flags:
        if flag not in FLAGS:
            raise SchemaError(f"{place}.flags", f"'{flag}' is none of {', '.join(FLAGS)}")
    if "shared" in flags and "read-only" not in flags:
        raise SchemaError(f"{place}.flags", "what is shared must be read-only")
    return entry["class"], flags


def privileges_of(place, entry):
    privileges = entry.get("privileges", [])
    if privileges == "all":
        return list(PRIVILEGES)
    if not isinstance(privileges, list):
        raise SchemaError(f"{place}.privileges", "must be a list, or \"all\"")
    for privilege in privileges:
        if privilege not in PRIVILEGES:
            raise SchemaError(f"{place}.privileges", f"'{privilege}' is none of {', '.join(PRIVILEGES)}")
    return privileges


def systems_of(place, entry):
    systems = entry.get("systems", SYSTEMS)
    if not isinstance(systems, list) or not systems or not set(systems) <= set(SYSTEMS):
        raise SchemaError(f"{place}.systems", f"must be some of {', '.join(SYSTEMS)}")
    return systems


class Command:
    def __init__(self, prefix, name, entry):
        place = f"commands.{name}"
        check_command_name(place, prefix, name)
        required, optional = ["since", "class", "doc"], ["arguments", "returns", "flags", "systems"]
        if prefix == "guest":  # no administrator of a guest rules over the proxy's own
            required.append("privileges")
        check_keys(place, entry, required, optional)
        self.name, self.place = name, place
        self.c_name = name.replace("-", "_")
        self.since = since_of(place, entry)
        self.time_class, self.flags = class_and_flags_of(place, entry)
        self.privileges = privileges_of(place, entry)
        if prefix == "guest" and not self.privileges:
            raise SchemaError(f"{place}.privileges", "is empty: nobody could allow it by class")
        self.systems = systems_of(place, entry)
        self.doc = doc_text(place, entry["doc"])
        self.arguments = members_of(f"{place}.arguments", entry.get("arguments", {}))
        self.struct = capitals(name) + "Arguments"
        returns = entry.get("returns")
        self.returns = Member(f"{place}.returns", "value", returns) if returns is not None else None
        if self.returns and "silent" in self.flags:
            raise SchemaError(place, "is silent on success, so it returns nothing")


class Event:
    def __init__(self, name, entry):
        place = f"events.{name}"
        if not re.match(r"^GUEST(_[A-Z0-9]+)+$", name):
            raise SchemaError(place, "is no name like GUEST_SOMETHING")
        check_keys(place, entry, ["since", "doc"], ["data"])
        self.name, self.place = name, place
        self.since = since_of(place, entry)
        self.doc = doc_text(place, entry["doc"])
        self.data = members_of(f"{place}.data", entry.get("data", {}))


def since_of(place, entry):
    if not isinstance(entry["since"], str) or not re.match(r"^\d+\.\d+$", entry["since"]):
        raise SchemaError(f"{place}.since", "must be a version like \"2.5\"")
    return entry["since"]


def members_of(place, entries):
    if not isinstance(entries, dict):
        raise SchemaError(place, "must be an object")
    if len(entries) > MAX_FIELDS:
        raise SchemaError(place, f"has more than {MAX_FIELDS} members")
    return [Member(f"{place}.{name}", name, entry) for name, entry in entries.items()]


class Schema:
    def __init__(self, text):
        try:
            root = json.loads(text, object_pairs_hook=unique_object)
        except json.JSONDecodeError as error:
            raise SchemaError(f"line {error.lineno}", error.msg) from error
        check_keys("schema", root, ["prefix", "types", "commands"], ["events"])
        prefix = root["prefix"]
        if not isinstance(prefix, str) or not PREFIX.match(prefix):
            raise SchemaError("prefix", "must be words of small letters")
        self.prefix = prefix
        self.types = {name: Type(prefix, name, entry) for name, entry in root["types"].items()}
        self.commands = sorted((Command(prefix, name, entry)
                                for name, entry in root["commands"].items()),
                               key=lambda command: command.name)
        self.events = [Event(name, entry) for name, entry in sorted(root.get("events", {}).items())]
        for described in self.types.values():
            self.check_members(described.members)
            self.check_branches(described)
        for event in self.events:
            self.check_members(event.data)
        for command in self.commands:
            self.check_members(command.arguments + ([command.returns] if command.returns else []))
        self.argument_types = []  # in an order in which each stands behind those it is made of
        for command in self.commands:
            self.collect(command.arguments, [])
        self.check_all_used()

    def json_kind(self, branch):
        return SCALARS[branch].json_kind if branch in SCALARS else "STRING"

    def check_members(self, members):
        for member in members:
            if member.type not in SCALARS and member.type not in self.types:
                raise SchemaError(member.place, f"type {member.type!r} is not described")
            if member.has_default:
                self.check_default(member)

    def check_default(self, member):
        described = self.types.get(member.type)
        branches = described.branches if described and described.branches else [member.type]
        for branch in branches:
            if branch in SCALARS and type(member.default) is SCALARS[branch].python:
                return
            if branch in self.types and member.default in self.types[branch].choices:
                return
        raise SchemaError(member.place, f"default {member.default!r} is no value of its type")

    def check_branches(self, described):
        seen = set()
        for branch in described.branches:
            enum = self.types.get(branch)
            if branch not in ("int", "bool") and not (enum and enum.choices):
                raise SchemaError(described.place, f"'{branch}' is no int, bool or enum")
            kind = self.json_kind(branch)
            if kind in seen:
                raise SchemaError(described.place, "two branches look alike in JSON")
            seen.add(kind)

    def collect(self, members, outer):
        for member in members:
            described = self.types.get(member.type)
            if member.type in RETURNED_ONLY:
                raise SchemaError(member.place, f"a {member.type} can only be returned")
            if described is None or described in self.argument_types:
                continue
            if described in outer:
                raise SchemaError(described.place, "holds itself")
            self.collect(described.members, outer + [described])
            for branch in described.branches:
                if branch in self.types and self.types[branch] not in self.argument_types:
                    self.argument_types.append(self.types[branch])
            self.argument_types.append(described)

    def check_all_used(self):
        used = {member.type for described in self.types.values() for member in described.members}
        used |= {branch for described in self.types.values() for branch in described.branches}
        used |= {member.type for command in self.commands for member in command.arguments}
        used |= {member.type for event in self.events for member in event.data}
        used |= {command.returns.type for command in self.commands if command.returns}
        for name, described in self.types.items():
            if name not in used:
                raise SchemaError(described.place, "is used nowhere")
