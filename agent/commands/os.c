/* SPDX-License-Identifier: GPL-2.0-or-later */

/* os: guest-get-osinfo, guest-get-host-name, guest-get-timezone. */

#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "agent/dispatch.h"
#include "text-file.h"

/* ---- os-release ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    const char *member;
} release_members[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"PRETTY_NAME", "pretty-name"},
    {"VERSION", "version"},
    {"VERSION_ID", "version-id"},
    {"VARIANT", "variant"},
    {"VARIANT_ID", "variant-id"},
};

/* What a quoted part says; *at is moved behind the closing quote. */
static void append_quoted(GString *value, const char **at, char quote)
{
    const char *from = *at + 1;

    while (*from != '\0' && *from != quote) {
        if (quote == '"' && *from == '\\' && from[1] != '\0' && strchr("$\"\\`", from[1]) != NULL)
            from++;
        g_string_append_c(value, *from++);
    }
    *at = *from != '\0' ? from + 1 : from;
}

/* As a shell reads it: it ends at a blank without quotes. */
static char *unquote(const char *text)
{
    GString *value = g_string_new(NULL);

    while (*text != '\0' && *text != ' ' && *text != '\t') {
        if (*text == '"' || *text == '\'') {
            append_quoted(value, &text, *text);
        } else {
            if (*text == '\\' && text[1] != '\0')
                text++;
            g_string_append_c(value, *text++);
        }
    }
    return g_string_free(value, FALSE);
}

/* The file that the environment names, or the first that there is of the usual two. */
static char *read_release(const System *system)
{
    static const char *const paths[] = {"/etc/os-release", "/usr/lib/os-release"};
    const char *chosen = g_getenv("QGA_OS_RELEASE");
    char *text = NULL;

    if (chosen != NULL)
        return text_file_read(system, chosen, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(paths) && text == NULL; i++)
        text = text_file_read(system, paths[i], NULL, NULL);
    return text;
}

static void write_release(JsonWrite *write, char *text)
{
    char *values[G_N_ELEMENTS(release_members)] = {NULL};
    char *line;

    while ((line = text_next_line(&text)) != NULL) {
        char *equals = strchr(g_strstrip(line), '=');

        if (equals == NULL)
            continue;
        *equals = '\0';
        for (guint i = 0; i < G_N_ELEMENTS(release_members); i++) {
            if (strcmp(line, release_members[i].name) == 0)
                values[i] = equals + 1; /* the last one counts */
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(release_members); i++) {
        g_autofree char *value = values[i] != NULL ? unquote(values[i]) : NULL;

        if (value == NULL)
            continue;
        json_write_member_string(write, release_members[i].member, value);
    }
}

gboolean guest_get_osinfo(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    g_autofree char *release = read_release(commands->system);
    struct utsname kernel;

    json_write_begin_object(write);
    if (uname(&kernel) == 0) {
        json_write_member_string(write, "kernel-release", kernel.release);
        json_write_member_string(write, "kernel-version", kernel.version);
        json_write_member_string(write, "machine", kernel.machine);
    }
    if (release != NULL)
        write_release(write, release);
    json_write_end_object(write);
    return TRUE;
}

/* ---- Name and zone --------------------------------------------------------------------------- */

gboolean guest_get_host_name(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    char name[256] = "";

    /* A name that fills it has no NUL. */
    if (gethostname(name, sizeof name - 1) != 0)
        g_strlcpy(name, "localhost", sizeof name);
    json_write_begin_object(write);
    json_write_member_string(write, "host-name", name);
    json_write_end_object(write);
    return TRUE;
}

/* tzset() looks at /etc/localtime again, which GLib would not, nor would musl, but for a zone of
 * another name in between. */
static void find_zone(void)
{
    if (g_getenv("TZ") == NULL) {
        g_setenv("TZ", "UTC0", TRUE);
        tzset();
        g_unsetenv("TZ");
    }
    tzset();
}

gboolean guest_get_timezone(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    time_t now = time(NULL);
    struct tm local = {0};

    find_zone();
    localtime_r(&now, &local);
    json_write_begin_object(write);
    if (local.tm_zone != NULL && *local.tm_zone != '\0')
        json_write_member_string(write, "zone", local.tm_zone);
    json_write_member_int64(write, "offset", local.tm_gmtoff);
    json_write_end_object(write);
    return TRUE;
}
