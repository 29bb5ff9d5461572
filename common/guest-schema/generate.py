#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks schema.json and writes what is derived from it.

  PREFIX-schema.h, .c     the table of commands: time class, flags, privileges (proxy, agent, CLI)
  PREFIX-commands.h, .c   argument structs, their descriptions for fields.h, the agent's handlers
  PREFIX-arguments.h, .c  the structs and their descriptions alone, for a program with its own way
  PREFIX-commands.md      the manual page of every command
  PREFIX-introspection.c  what query-qmp-schema tells of each command and event (introspection.h)
"""

import argparse
import json
import os
import pathlib
import re
import sys

from introspection import command_entries, event_entries
from schema import CLASSES, FLAGS, PRIVILEGES, SCALARS, SYSTEMS, Schema, SchemaError

BANNER = "/* Generated from {source} by generate.py. */\n\n"


def lower(type_name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type_name).lower()


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def constant(prefix, word):
    return f"{prefix}_{word}".upper().replace("-", "_")


def class_name(time_class):
    return constant("guest_class", time_class)


def flag_name(flag):
    return constant("guest_flag", flag)


def privilege_name(privilege):
    return constant("guest_privilege", privilege)


def privileges_mask(privileges):
    if privileges == list(PRIVILEGES):
        return "GUEST_PRIVILEGE_ALL"
    return " | ".join(map(privilege_name, privileges)) or "0"


def emit_schema_h(schema, prefix):
    lines = ["#pragma once\n", "#include <glib.h>\n", "G_BEGIN_DECLS\n",
             "/* How long a command may take: see LIMIT_SECONDS_* in limits.h. */",
             "typedef enum {"]
    lines += [f"    {class_name(name)}," for name in CLASSES]
    lines += ["} GuestClass;\n", "typedef enum {"]
    lines += [f"    {flag_name(flag)} = 1 << {i}, /* {text} */"
              for i, (flag, text) in enumerate(FLAGS.items())]
    lines += ["} GuestFlags;\n", "/* What a command lets a host do. */", "typedef enum {"]
    lines += [f"    {privilege_name(privilege)} = 1 << {i}, /* {text} */"
              for i, (privilege, text) in enumerate(PRIVILEGES.items())]
    lines += [f"    GUEST_PRIVILEGE_ALL = (1 << {len(PRIVILEGES)}) - 1,", "} GuestPrivileges;\n",
              f"#define GUEST_PRIVILEGES {len(PRIVILEGES)}\n",
              "/* Bit by bit, from the lowest. */",
              "extern const char *const guest_privilege_names[GUEST_PRIVILEGES];\n",
              "typedef struct {", "    const char *name;", "    GuestClass time_class;",
              "    guint flags;      /* GuestFlags */",
              "    guint privileges; /* GuestPrivileges; of several, any one will do */",
              "} GuestCommand;\n",
              f"#define GUEST_SCHEMA_COMMANDS {len(schema.commands)}\n",
              "/* Sorted by name. */",
              "extern const GuestCommand guest_schema_commands[GUEST_SCHEMA_COMMANDS];\n",
              "/* Returns: (nullable): the command called @name */",
              "const GuestCommand *guest_schema_find(const char *name);\n",
              "/* The same, of a name that has no NUL behind it. */",
              "const GuestCommand *guest_schema_find_bytes(const char *name, gsize len);\n",
              "G_END_DECLS"]
    return lines


def emit_table(head, commands):
    lines = [head + " = {"]
    for command in commands:
        flags = " | ".join(flag_name(flag) for flag in command.flags) or "0"
        privileges = privileges_mask(command.privileges)
        lines.append(f'    {{"{command.name}", {class_name(command.time_class)}, {flags}, {privileges}}},')
    return lines + ["};\n"]


def place(name, factor, bits):
    """Where a name stands in the table by which it is found."""
    total = 0
    for byte in name.encode():
        total = (total + byte) * factor & 0xFFFFFFFF
    return total >> (32 - bits)


def find_factor(names):
    """A factor, and a size in bits, with which each name has a place of its own."""
    bits = (4 * len(names)).bit_length()
    while True:
        for number in range(1, 2000):
            factor = (number * 2654435769 | 1) & 0xFFFFFFFF
            if len({place(name, factor, bits) for name in names}) == len(names):
                return factor, bits
        bits += 1


def emit_find(names):
    same = len(os.path.commonprefix(names)) if len(names) > 1 else 0
    factor, bits = find_factor([name[same:] for name in names])
    places = {place(name[same:], factor, bits): number for number, name in enumerate(names)}
    lines = ["/* By a function of a name that no two of them share: how long it is, and the number of the command. */",
             "static const struct {", "    guint16 len; /* 0: of no command */", "    guint16 number;",
             f"}} places[{1 << bits}] = {{"]
    lines += [f"    [{where}] = {{{len(names[places[where]])}, {places[where]}}}, /* {names[places[where]]} */"
              for where in sorted(places)]
    lines += ["};\n",
              "const GuestCommand *guest_schema_find_bytes(const char *name, gsize len)", "{",
              "    const GuestCommand *command;",
              "    guint32 place = 0;\n",
              f"    if (len > {max(map(len, names))})", "        return NULL;",
              f"    for (gsize i = {same}; i < len; i++)",
              f"        place = (place + (guint8)name[i]) * {factor}u;",
              f"    place >>= {32 - bits};",
              "    if (len == 0 || len != places[place].len)", "        return NULL;",
              "    command = &guest_schema_commands[places[place].number];",
              "    return memcmp(command->name, name, len) == 0 ? command : NULL;",
              "}\n",
              "const GuestCommand *guest_schema_find(const char *name)", "{",
              "    return guest_schema_find_bytes(name, strlen(name));", "}"]
    return lines


def emit_schema_c(schema, prefix):
    lines = [f'#include "{prefix}-schema.h"\n', "#include <string.h>\n"]
    lines.append("const char *const guest_privilege_names[GUEST_PRIVILEGES] = {")
    lines += [f"    {c_string(privilege)}," for privilege in PRIVILEGES]
    lines.append("};\n")
    lines += emit_table("const GuestCommand guest_schema_commands[GUEST_SCHEMA_COMMANDS]",
                        schema.commands)
    return lines + emit_find([command.name for command in schema.commands])


def c_type(schema, member):
    if member.is_list:
        return "GArray *"
    if member.type in SCALARS:
        return SCALARS[member.type].c_type
    return "GuestAlternate" if schema.types[member.type].branches else member.type


def needs_has(schema, member):
    """Whether no value of the member's own can say that it is absent."""
    is_null = member.is_list or member.type in ("str", "base64") or (
        member.type in schema.types and schema.types[member.type].branches)
    return member.optional and not member.has_default and not is_null


def emit_struct(schema, name, members):
    lines = ["typedef struct {"]
    for member in members:
        if needs_has(schema, member):
            lines.append(f"    gboolean has_{member.c_name};")
        kind = c_type(schema, member)
        gap = "" if kind.endswith("*") else " "
        note = f" /* of {member.type} */" if member.is_list else ""
        if member.type in schema.types and schema.types[member.type].branches:
            note = f" /* {member.type} */"
        lines.append(f"    {kind}{gap}{member.c_name};{note}")
    return lines + [f"}} {name};\n"]


def emit_types(schema):
    """The types that arguments are made of, and the struct of each command's."""
    lines = []
    for described in schema.argument_types:
        if described.choices:
            lines.append("typedef enum {")
            lines += [f"    {constant(lower(described.name), choice)},"
                      for choice in described.choices]
            lines.append(f"}} {described.name};\n")
        elif described.members:
            lines += emit_struct(schema, described.name, described.members)
    for command in schema.commands:
        if command.arguments:
            lines += emit_struct(schema, command.struct, command.arguments)
    return lines


def emit_commands_h(schema, prefix):
    lines = ["#pragma once\n", '#include "common/guest-schema/fields.h"',
             f'#include "{prefix}-schema.h"\n', "G_BEGIN_DECLS\n",
             "/* What commands act on, and one command under way. */",
             "typedef struct Commands Commands;", "typedef struct Call Call;\n"]
    lines += emit_types(schema)
    lines.append("/* FALSE with @error; or the result is in @call; or @call is kept for later. */")
    for command in schema.here:
        args = f"const {command.struct} *args, " if command.arguments else ""
        lines.append(f"gboolean {command.c_name}(Commands *commands, {args}Call *call,")
        lines.append("    GError **error) G_GNUC_WARN_UNUSED_RESULT;")
    return lines + ["", "typedef struct {", "    const GuestStruct *arguments; /* may have none */",
                    "    gboolean (*run)(Commands *commands, gconstpointer args, Call *call,",
                    "                    GError **error);",
                    "} GuestHandler;\n",
                    "/* Returns: (nullable): NULL where this system has no such command */",
                    "const GuestHandler *guest_handler_find(const GuestCommand *command);\n",
                    "G_END_DECLS"]


def emit_field(schema, struct, member):
    described = schema.types.get(member.type)
    if described is None:
        kind = SCALARS[member.type].field
    else:
        kind = {"enum": "ENUM", "struct": "STRUCT", "alternate": "ALTERNATE"}[described.kind]
    has = f"offsetof({struct}, has_{member.c_name})" if needs_has(schema, member) else "-1"
    parts = [f".name = {c_string(member.name)}", f".kind = GUEST_FIELD_{kind}",
             f".offset = offsetof({struct}, {member.c_name})", f".has_offset = {has}"]
    if member.is_list:
        parts.append(".is_list = TRUE")
    if member.optional:
        parts.append(".is_optional = TRUE")
    if member.has_default:
        parts.append(f".fallback = {c_string(json.dumps(member.default))}")
    if kind == "STRUCT":
        parts.append(f".members = &{lower(member.type)}_struct")
    if kind == "ENUM":
        parts.append(f".choices = {lower(member.type)}_choices")
    if kind == "ALTERNATE":
        enums = [branch for branch in described.branches if branch in schema.types]
        kinds = [schema.json_kind(branch) for branch in described.branches]
        parts.append(f".type = {c_string(member.type)}")
        parts.append(".kinds = " + " | ".join(f"1u << JSON_KIND_{kind}" for kind in kinds))
        parts += [f".choices = {lower(branch)}_choices" for branch in enums]
    return "    {" + ",\n     ".join(parts) + "},"


def emit_description(schema, linkage, struct, members):
    name = lower(struct)
    return ([f"static const GuestField {name}_fields[] = {{"]
            + [emit_field(schema, struct, member) for member in members]
            + ["};\n", f"{linkage}const GuestStruct {name}_struct = {{",
               f"    sizeof({struct}), {name}_fields, G_N_ELEMENTS({name}_fields)}};\n"])


def emit_descriptions(schema, linkage):
    lines = []
    for described in schema.argument_types:
        if described.choices:
            lines += ["/* Read as an int: see fields.h. */",
                      f"G_STATIC_ASSERT(sizeof({described.name}) == sizeof(int));",
                      f"{linkage}const char *const {lower(described.name)}_choices[] = {{"]
            lines += [f"    {c_string(choice)}," for choice in described.choices]
            lines += ["    NULL,", "};\n"]
        elif described.members:
            lines += emit_description(schema, linkage, described.name, described.members)
    for command in schema.commands:
        if command.arguments:
            lines += emit_description(schema, linkage, command.struct, command.arguments)
    return lines


def emit_arguments_h(schema, prefix):
    lines = ["#pragma once\n", '#include "common/guest-schema/fields.h"\n', "G_BEGIN_DECLS\n"]
    lines += emit_types(schema)
    lines += [f"extern const char *const {lower(described.name)}_choices[];"
              for described in schema.argument_types if described.choices]
    lines += [f"extern const GuestStruct {lower(command.struct)}_struct;"
              for command in schema.commands if command.arguments]
    return lines + ["", "G_END_DECLS"]


def emit_arguments_c(schema, prefix):
    return [f'#include "{prefix}-arguments.h"\n'] + emit_descriptions(schema, "")


def emit_commands_c(schema, prefix):
    lines = [f'#include "{prefix}-commands.h"\n'] + emit_descriptions(schema, "static ")
    lines.append("static const GuestStruct nothing;\n")
    for command in schema.here:
        args = "args, " if command.arguments else ""
        lines += [f"static gboolean run_{command.c_name}(Commands *commands, gconstpointer args,",
                  "    Call *call, GError **error)", "{",
                  f"    return {command.c_name}(commands, {args}call, error);", "}\n"]
    lines += ["/* In the order of guest_schema_commands. */",
              "static const GuestHandler handlers[GUEST_SCHEMA_COMMANDS] = {"]
    for command in schema.commands:
        arguments = f"{lower(command.struct)}_struct" if command.arguments else "nothing"
        run = f"run_{command.c_name}" if command in schema.here else "NULL"
        lines.append(f"    {{&{arguments}, {run}}},")
    return lines + ["};\n",
                    "const GuestHandler *guest_handler_find(const GuestCommand *command)", "{",
                    "    const GuestHandler *handler = &handlers[command - guest_schema_commands];\n",
                    "    return handler->run != NULL ? handler : NULL;", "}"]


def type_words(name, is_list):
    words = SCALARS[name].words if name in SCALARS else f"[{name}](#{name.lower()})"
    return f"list of {words}" if is_list else words


def emit_members(members):
    lines = ["| name | type | |", "| --- | --- | --- |"]
    for member in members:
        note = ""
        if member.has_default:
            note = f" Default: `{json.dumps(member.default)}`."
        elif member.optional:
            note = " Optional."
        words = type_words(member.type, member.is_list)
        lines.append(f"| `{member.name}` | {words} | {member.doc}{note} |")
    return lines + [""]


def emit_manual(schema, prefix):
    lines = [f"# Commands {schema.prefix}-*", "", "## Commands", ""]
    for command in schema.commands:
        lines += [f"### {command.name}", "", command.doc, ""]
        if command.arguments:
            lines += emit_members(command.arguments)
        if command.returns:
            words = type_words(command.returns.type, command.returns.is_list)
            lines += [f"Returns: {words}. {command.returns.doc}", ""]
        elif "silent" not in command.flags:
            lines += ["Returns: an empty object.", ""]
        notes = [f"Since {command.since}", f"time class {command.time_class}"]
        if command.privileges and command.privileges != list(PRIVILEGES):
            notes.append("privilege " + " or ".join(f"@{name}" for name in command.privileges))
        if command.systems != SYSTEMS:
            notes.append(f"on {' and '.join(map(str.capitalize, command.systems))} only")
        lines += ["; ".join(notes + [FLAGS[flag] for flag in command.flags]) + ".", ""]
    if schema.events:
        lines += ["## Events", ""]
    for event in schema.events:
        lines += [f"### {event.name}", "", event.doc, ""]
        if event.data:
            lines += emit_members(event.data)
        lines += [f"Since {event.since}.", ""]
    lines += ["## Types", ""]
    for described in schema.types.values():
        lines += [f"### {described.name}", "", described.doc, ""]
        if described.members:
            lines += emit_members(described.members)
        lines += [f"- `\"{choice}\"`: {text}" for choice, text in described.choices.items()]
        lines += [f"- {type_words(branch, False)}" for branch in described.branches]
        if not described.members:
            lines.append("")
    return lines[:-1]


def emit_introspection_table(name, described):
    """described: pairs of what it is called and its entries."""
    lines = [f"const Introspection {name}[] = {{"]
    for word, entries in described:
        entries = [json.dumps(entry) for entry in entries]
        texts = [entry + ", " for entry in entries[:-1]] + entries[-1:]
        lines.append(f"    {{{c_string(word)},")
        lines += [f"     {c_string(text)}" for text in texts]
        lines[-1] += "},"
    return lines + ["    {NULL, NULL},", "};"]


def emit_introspection(schema, prefix):
    lines = ['#include "common/guest-schema/introspection.h"\n']
    lines += emit_introspection_table(f"{prefix}_introspection", (
        (command.name, command_entries(schema, command)) for command in schema.commands))
    if schema.events:
        lines += [""] + emit_introspection_table(f"{prefix}_event_introspection", (
            (event.name, event_entries(schema, event)) for event in schema.events))
    return lines


OUTPUTS = {"schema.h": emit_schema_h, "schema.c": emit_schema_c, "commands.h": emit_commands_h,
           "commands.c": emit_commands_c, "arguments.h": emit_arguments_h,
           "arguments.c": emit_arguments_c, "commands.md": emit_manual,
           "introspection.c": emit_introspection}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("schema", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path, help="directory to write to")
    parser.add_argument("--parts", nargs="+", default=OUTPUTS, choices=OUTPUTS, metavar="PART",
                        help=f"what to write of {', '.join(OUTPUTS)}; all by default")
    parser.add_argument("--system", choices=SYSTEMS, default="linux",
                        help="whose commands get a handler")
    parser.add_argument("--prefix", default="guest", help="what the names of the files begin with")
    options = parser.parse_args()
    try:
        schema = Schema(options.schema.read_text(encoding="utf-8"))
    except SchemaError as error:
        sys.exit(f"{options.schema}: {error}")
    schema.here = [command for command in schema.commands if options.system in command.systems]
    for suffix in options.parts:
        banner = "" if suffix.endswith(".md") else BANNER.format(source=options.schema.name)
        text = banner + "\n".join(OUTPUTS[suffix](schema, options.prefix)) + "\n"
        (options.output / f"{options.prefix}-{suffix}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
