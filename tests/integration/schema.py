# SPDX-License-Identifier: GPL-2.0-or-later
"""What query-qmp-schema returns, held to the rules of QAPI's introspection, and values held to it."""

JSON_KINDS = {  # json-type of a builtin: whether a value is one
    "string": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "value": lambda value: True,
}
MEMBERS = {  # meta-type: the members that an entry of it has, and those that it may have
    "builtin": ({"json-type"}, set()),
    "enum": ({"members", "values"}, set()),
    "array": ({"element-type"}, set()),
    "object": ({"members"}, {"tag", "variants"}),
    "alternate": ({"members"}, set()),
    "command": ({"arg-type", "ret-type"}, {"allow-oob"}),
    "event": ({"arg-type"}, set()),
}


class SchemaFault(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise SchemaFault(*what)


class Schema:
    """Raises SchemaFault where a name is there twice, a reference leads nowhere or to what cannot stand there, or an
    entry is not made as its kind is."""

    def __init__(self, entries):
        self.entries = {}
        for entry in entries:
            expect(entry["name"] not in self.entries, "there twice", entry["name"])
            self.entries[entry["name"]] = entry
        for entry in entries:
            self._check(entry)

    def names(self, meta_type):
        return {name for name, entry in self.entries.items() if entry["meta-type"] == meta_type}

    def _check(self, entry):
        meta_type = entry["meta-type"]
        expect(meta_type in MEMBERS, "no kind of entry", entry)
        required, optional = MEMBERS[meta_type]
        expect(required <= entry.keys() - {"name", "meta-type"} <= required | optional | {"features"},
               "wrong members", entry)
        check = getattr(self, f"_check_{meta_type}", None)
        if check:
            check(entry)

    def _type(self, name, meta_types=("builtin", "enum", "array", "object", "alternate")):
        expect(name in self.entries, "not there", name)
        expect(self.entries[name]["meta-type"] in meta_types, "cannot stand where it is named", name)
        return self.entries[name]

    def _check_builtin(self, entry):
        expect(entry["json-type"] in JSON_KINDS, "no builtin type", entry)

    def _check_enum(self, entry):
        expect([member["name"] for member in entry["members"]] == entry["values"], "values differ", entry)
        expect(len(set(entry["values"])) == len(entry["values"]), "a value is there twice", entry)

    def _check_array(self, entry):
        self._type(entry["element-type"])

    def _check_object(self, entry):
        names = [member["name"] for member in entry["members"]]
        expect(len(set(names)) == len(names), "a member is there twice", entry)
        for member in entry["members"]:
            expect({"name", "type"} <= member.keys() <= {"name", "type", "default", "features"}, "wrong", member)
            expect(member.get("default") is None, "a default that is not null", member)
            self._type(member["type"])
        expect(("tag" in entry) == ("variants" in entry), "tag without variants, or they without it", entry)
        if "tag" in entry:
            [tag] = [member["type"] for member in entry["members"] if member["name"] == entry["tag"]]
            cases = self._type(tag, ["enum"])["values"]
            for variant in entry["variants"]:
                expect(variant["case"] in cases, "no case", variant)
                self._type(variant["type"], ["object"])

    def _check_alternate(self, entry):
        for member in entry["members"]:
            expect(member.keys() == {"type"}, "wrong", member)
            self._type(member["type"])

    def _check_command(self, entry):
        self._type(entry["arg-type"], ["object"])
        self._type(entry["ret-type"])

    def _check_event(self, entry):
        self._type(entry["arg-type"], ["object"])

    # Values

    def check_call(self, command, arguments, returned):
        """Holds a call that succeeded to what the schema tells of its command."""
        entry = self._type(command, ["command"])
        self.check_value(entry["arg-type"], arguments)
        self.check_value(entry["ret-type"], returned)

    def check_value(self, name, value):
        """Raises SchemaFault where a value is none of the type of that name; of objects without variants."""
        entry = self.entries[name]
        meta_type = entry["meta-type"]
        if meta_type == "builtin":
            expect(JSON_KINDS[entry["json-type"]](value), "is no", name, value)
        elif meta_type == "enum":
            expect(value in entry["values"], "is none of", entry["values"], value)
        elif meta_type == "array":
            expect(isinstance(value, list), "is no list", value)
            for element in value:
                self.check_value(entry["element-type"], element)
        elif meta_type == "alternate":
            expect(any(self._is(member["type"], value) for member in entry["members"]), "is none of", entry, value)
        else:
            self._check_members(entry, value)

    def _is(self, name, value):
        try:
            self.check_value(name, value)
            return True
        except SchemaFault:
            return False

    def _check_members(self, entry, value):
        expect(isinstance(value, dict), "is no object", value)
        members = {member["name"]: member for member in entry["members"]}
        expect(value.keys() <= members.keys(), "unknown members", value.keys() - members.keys())
        for name, member in members.items():
            if name in value:
                self.check_value(member["type"], value[name])
            else:
                expect("default" in member, "lacks", name)
