/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "config.h"

#include <string.h>

#define GROUP "vm "

typedef struct {
    const char *path;
    const MachineOptions *common;
    GPtrArray *machines;
    MachineOptions *machine; /* (nullable): whose group it is; in machines */
    GHashTable *said;        /* names of keys that have their one value, in this group */
    guint line;
} Reader;

G_GNUC_PRINTF(3, 4)
static gboolean fail(const Reader *reader, GError **error, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list arguments;

    va_start(arguments, format);
    what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "%s:%u: %s", reader->path,
                reader->line, what);
    return FALSE;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void append(char ***list, const char *values)
{
    g_auto(GStrv) each = g_strsplit(values, ";", -1);
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (char **value = *list; value && *value; value++)
        g_ptr_array_add(all, *value);
    g_free(*list);
    for (char **value = each; *value; value++)
        if (*g_strstrip(*value) != '\0')
            g_ptr_array_add(all, g_strdup(*value));
    g_ptr_array_add(all, NULL);
    *list = (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

static gboolean read_boolean(const char *value, gboolean *ret_value)
{
    static const char *const words[2][4] = {{"false", "no", "off", "0"},
                                            {"true", "yes", "on", "1"}};

    for (guint truth = 0; truth < 2; truth++)
        for (guint i = 0; i < G_N_ELEMENTS(words[truth]); i++)
            if (g_ascii_strcasecmp(value, words[truth][i]) == 0) {
                *ret_value = truth != 0;
                return TRUE;
            }
    return FALSE;
}

static const MachineOption *find_option(const char *name)
{
    for (const MachineOption *option = machine_options; option->name; option++)
        if (g_str_equal(option->name, name))
            return option;
    return NULL;
}

static gboolean set_key(Reader *reader, const char *name, const char *value, GError **error)
{
    const MachineOption *option = find_option(name);
    const char *vm = reader->machine->name;
    gpointer place;

    if (!option)
        return fail(reader, error, "[" GROUP "%s] %s: there is no such key", vm, name);
    if (*value == '\0')
        return fail(reader, error, "[" GROUP "%s] %s: has no value", vm, name);
    place = G_STRUCT_MEMBER_P(reader->machine, option->offset);
    if (option->kind == G_OPTION_ARG_STRING_ARRAY) {
        append(place, value);
        return TRUE;
    }
    if (!g_hash_table_add(reader->said, (gpointer)option->name))
        return fail(reader, error, "[" GROUP "%s] %s: is said twice", vm, name);
    if (option->kind != G_OPTION_ARG_NONE) {
        g_free(*(char **)place);
        *(char **)place = g_strdup(value);
        return TRUE;
    }
    return read_boolean(value, place) ||
           fail(reader, error, "[" GROUP "%s] %s: '%s' is neither true nor false", vm, name, value);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

/* @name: as it stands between brackets */
static gboolean open_group(Reader *reader, const char *name, GError **error)
{
    MachineOptions *machine;

    if (!g_str_has_prefix(name, GROUP) || name[strspn(name + 2, " ") + 2] == '\0')
        return fail(reader, error, "[%s]: the group of a machine is [" GROUP "NAME]", name);
    name += 2 + strspn(name + 2, " ");
    for (guint i = 0; i < reader->machines->len; i++)
        if (g_str_equal(((MachineOptions *)reader->machines->pdata[i])->name, name))
            return fail(reader, error, "[" GROUP "%s]: is there twice", name);
    machine = machine_options_copy(reader->common);
    machine->name = g_strdup(name);
    machine->origin = g_strdup_printf("%s: [" GROUP "%s]", reader->path, name);
    g_ptr_array_add(reader->machines, machine);
    reader->machine = machine;
    g_hash_table_remove_all(reader->said);
    return TRUE;
}

static gboolean read_line(Reader *reader, char *line, GError **error)
{
    char *equals;

    g_strstrip(line);
    if (*line == '\0' || *line == '#' || *line == ';')
        return TRUE;
    if (*line == '[') {
        if (!g_str_has_suffix(line, "]"))
            return fail(reader, error, "'%s' has no ] at its end", line);
        line[strlen(line) - 1] = '\0';
        return open_group(reader, g_strstrip(line + 1), error);
    }
    equals = strchr(line, '=');
    if (!equals)
        return fail(reader, error, "'%s' is neither a [group] nor key = value", line);
    *equals = '\0';
    if (!reader->machine)
        return fail(reader, error, "'%s' stands in no group [" GROUP "NAME]", g_strstrip(line));
    return set_key(reader, g_strstrip(line), g_strstrip(equals + 1), error);
}

static gboolean is_empty(char **list)
{
    return !list || !*list;
}

static gboolean check_machines(const Reader *reader, GError **error)
{
    for (guint i = 0; i < reader->machines->len; i++) {
        const MachineOptions *machine = reader->machines->pdata[i];
        const char *missing = NULL;

        if (is_empty(machine->listeners) && is_empty(machine->agent_listeners))
            missing = "listen";
        if (is_empty(machine->monitors))
            missing = "qmp";
        if (missing) {
            g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND, "%s %s: is needed",
                        machine->origin, missing);
            return FALSE;
        }
    }
    if (reader->machines->len == 0)
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
                    "%s: there is no group [" GROUP "NAME]", reader->path);
    return reader->machines->len > 0;
}

GPtrArray *config_read(const char *path, const MachineOptions *common, GError **error)
{
    g_autoptr(GPtrArray) machines =
        g_ptr_array_new_with_free_func((GDestroyNotify)machine_options_free);
    g_autoptr(GHashTable) said = g_hash_table_new(g_str_hash, g_str_equal);
    Reader reader = {.path = path, .common = common, .machines = machines, .said = said};
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, error))
        return NULL;
    if (!g_utf8_validate_len(text, len, NULL)) {
        g_set_error(error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_UNKNOWN_ENCODING,
                    "%s: is not text in UTF-8", path);
        return NULL;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        reader.line++;
        if (!read_line(&reader, *line, error))
            return NULL;
    }
    return check_machines(&reader, error) ? g_steal_pointer(&machines) : NULL;
}
