/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "config.h"

#include <string.h>

static void section_free(gpointer data)
{
    ConfigSection *section = data;

    g_free(section->group);
    g_free(section->id);
    option_free(section->option);
    g_free(section);
}

static ConfigSection *add_section(GPtrArray *sections, GMatchInfo *match)
{
    ConfigSection *section = g_new0(ConfigSection, 1);
    g_autofree char *id = g_match_info_fetch(match, 2);

    section->group = g_match_info_fetch(match, 1);
    section->option = option_new();
    if (id && id[0] != '\0') {
        section->id = g_strdup(id);
        option_set(section->option, "id", id);
    }
    g_ptr_array_add(sections, section);
    return section;
}

static void add_value(ConfigSection *section, GMatchInfo *match)
{
    g_autofree char *key = g_match_info_fetch(match, 1);
    g_autofree char *value = g_match_info_fetch(match, 2);

    option_set(section->option, key, value);
}

typedef struct {
    GRegex *section; /* [group] or [group "id"] */
    GRegex *value;   /* key = "value" */
    GRegex *nothing;
} Grammar;

static gboolean read_line(const Grammar *grammar, const char *line, GPtrArray *sections)
{
    g_autoptr(GMatchInfo) section = NULL;
    g_autoptr(GMatchInfo) value = NULL;

    if (g_regex_match(grammar->nothing, line, 0, NULL))
        return TRUE;
    if (g_regex_match(grammar->section, line, 0, &section)) {
        add_section(sections, section);
        return TRUE;
    }
    if (sections->len == 0 || !g_regex_match(grammar->value, line, 0, &value))
        return FALSE;
    add_value(sections->pdata[sections->len - 1], value);
    return TRUE;
}

GPtrArray *config_parse(const char *text, GError **error)
{
    g_autoptr(GRegex) section =
        g_regex_new("^\\[([^\\]\"\\s]+)(?:\\s+\"([^\"]*)\")?\\]\\s*$", 0, 0, NULL);
    g_autoptr(GRegex) value = g_regex_new("^\\s*(\\S+?)\\s*=\\s*\"([^\"]*)\"\\s*$", 0, 0, NULL);
    g_autoptr(GRegex) nothing = g_regex_new("^\\s*(#.*)?$", 0, 0, NULL);
    const Grammar grammar = {section, value, nothing};
    g_autoptr(GPtrArray) sections = g_ptr_array_new_with_free_func(section_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++)
        if (!read_line(&grammar, lines[i], sections)) {
            g_set_error(error, OPTION_ERROR, OPTION_ERROR_SYNTAX,
                        "line %u is neither [group \"id\"] nor key = \"value\"", i + 1);
            return NULL;
        }
    return g_steal_pointer(&sections);
}

static void write_value(const char *key, const char *value, gpointer text)
{
    if (strcmp(key, "id") != 0)
        g_string_append_printf(text, "  %s = \"%s\"\n", key, value);
}

char *config_to_text(const GPtrArray *sections)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < sections->len; i++) {
        const ConfigSection *section = sections->pdata[i];

        if (section->id)
            g_string_append_printf(text, "[%s \"%s\"]\n", section->group, section->id);
        else
            g_string_append_printf(text, "[%s]\n", section->group);
        option_foreach(section->option, write_value, text);
    }
    return g_string_free(text, FALSE);
}
