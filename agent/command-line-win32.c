/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/command-line-win32.h"

#include <string.h>
#include <windows.h>

#include "common/qmp-error.h"

/* ---- Line ------------------------------------------------------------------------------------ */

/*
 * Backslashes mean themselves but before a quotation mark: there, and at the end, where our own
 * mark follows, each is doubled, and one more says that the mark is no end.
 */
static void append_quoted(GString *line, const char *word)
{
    gsize backslashes = 0;

    g_string_append_c(line, '"');
    for (; *word != '\0'; word++) {
        if (*word == '"') {
            for (gsize i = 0; i <= backslashes; i++)
                g_string_append_c(line, '\\');
        }
        backslashes = *word == '\\' ? backslashes + 1 : 0;
        g_string_append_c(line, *word);
    }
    for (gsize i = 0; i < backslashes; i++)
        g_string_append_c(line, '\\');
    g_string_append_c(line, '"');
}

static void append_word(GString *line, const char *word)
{
    if (*word != '\0' && strpbrk(word, " \t\n\v\"") == NULL)
        g_string_append(line, word);
    else
        append_quoted(line, word);
}

char *command_line_build(const char *const *argv, gboolean is_batch, GError **error)
{
    g_autoptr(GString) line = g_string_new(NULL);

    for (guint i = 0; argv[i] != NULL; i++) {
        if (i > 0)
            g_string_append_c(line, ' ');
        if (is_batch && strpbrk(argv[i], "\"%\r\n") != NULL) {
            qmp_error_set(error, "'%.256s' cannot be handed to a batch file", argv[i]);
            return NULL;
        }
        if (is_batch || i == 0) /* all marks of cmd.exe mean themselves between quotation marks */
            append_quoted(line, argv[i]);
        else
            append_word(line, argv[i]);
    }
    return g_string_free(g_steal_pointer(&line), FALSE);
}

gboolean command_line_is_batch(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL &&
           (g_ascii_strcasecmp(dot, ".bat") == 0 || g_ascii_strcasecmp(dot, ".cmd") == 0);
}

/* ---- Environment ----------------------------------------------------------------------------- */

/* By name, as if written in capitals; the mark before the value sorts as the end. */
static int compare_variables(gconstpointer a, gconstpointer b)
{
    const char *one = *(const char *const *)a, *other = *(const char *const *)b;
    gsize one_len = strcspn(one, "="), other_len = strcspn(other, "=");
    int order = g_ascii_strncasecmp(one, other, MIN(one_len, other_len));

    return order != 0 ? order : (one_len > other_len) - (one_len < other_len);
}

gunichar2 *command_line_environment(const char *const *env, GError **error)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    g_autoptr(GArray) block = g_array_new(FALSE, FALSE, sizeof(gunichar2));
    static const gunichar2 ends[2] = {0, 0};

    for (guint i = 0; env[i] != NULL; i++)
        g_ptr_array_add(sorted, (gpointer)env[i]);
    g_ptr_array_sort(sorted, compare_variables);
    for (guint i = 0; i < sorted->len; i++) {
        glong len;
        g_autofree gunichar2 *wide = g_utf8_to_utf16(sorted->pdata[i], -1, NULL, &len, NULL);

        if (wide == NULL || len == 0) {
            qmp_error_set(error, "'%.256s' is no variable", (const char *)sorted->pdata[i]);
            return NULL;
        }
        g_array_append_vals(block, wide, (guint)len + 1);
    }
    g_array_append_vals(block, ends, G_N_ELEMENTS(ends));
    return (gunichar2 *)(gpointer)g_array_free(g_steal_pointer(&block), FALSE);
}

/* ---- Search ---------------------------------------------------------------------------------- */

static char *find_with(const wchar_t *search, const wchar_t *name, const wchar_t *extension)
{
    DWORD needed = SearchPathW(search, name, extension, 0, NULL, NULL);
    g_autofree wchar_t *found = needed > 0 ? g_new(wchar_t, needed) : NULL;

    if (found == NULL || SearchPathW(search, name, extension, needed, found, NULL) >= needed)
        return NULL;
    /* A folder may have the name too. */
    if ((GetFileAttributesW(found) & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return NULL;
    return g_utf16_to_utf8(found, -1, NULL, NULL, NULL);
}

char *command_line_find(const char *name, const char *search)
{
    static const wchar_t *const extensions[] = {L".exe", L".com", L".bat", L".cmd"};
    g_autofree wchar_t *wide = g_utf8_to_utf16(name, -1, NULL, NULL, NULL);
    g_autofree wchar_t *wide_search =
        search != NULL ? g_utf8_to_utf16(search, -1, NULL, NULL, NULL) : NULL;
    char *found = NULL;

    if (wide == NULL || *name == '\0')
        return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(extensions) && found == NULL; i++)
        found = find_with(wide_search, wide, extensions[i]);
    return found;
}
