/* SPDX-License-Identifier: GPL-2.0-or-later */

/* counters: guest-get-load, guest-get-cpustats, guest-get-diskstats. */

#include <string.h>
#include <unistd.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "text-file.h"

/* ---- Load ------------------------------------------------------------------------------------ */

/* Digits and a point; strtod() also takes "nan" and what the locale says. */
static gboolean read_load(const char *word, double *ret_load)
{
    *ret_load = g_ascii_strtod(word, NULL);
    return *word != '\0' && word[strspn(word, "0123456789.")] == '\0';
}

gboolean guest_get_load(Commands *commands, Call *call, GError **error)
{
    static const char *const members[] = {"load1m", "load5m", "load15m"};
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = text_file_read(commands->system, "/proc/loadavg", NULL, &reason);
    JsonWrite *write = call_result(call);
    char *words[G_N_ELEMENTS(members)];
    guint n = text != NULL ? text_split(text, words, G_N_ELEMENTS(members)) : 0;

    json_write_begin_object(write);
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        double load;

        if (i >= n || !read_load(words[i], &load)) {
            qmp_error_set(error, "cannot query load average: %s",
                          reason != NULL ? reason->message : "/proc/loadavg is no such thing");
            return FALSE;
        }
        json_write_key(write, members[i]);
        json_write_double(write, load);
    }
    json_write_end_object(write);
    return TRUE;
}

/* ---- Tables of counters ---------------------------------------------------------------------- */

/* The kernel adds columns at the end: what an older one lacks is left out. */
enum { COLUMNS_MOST = 20 };

typedef struct {
    guint n;
    char *words[COLUMNS_MOST];
    guint64 values[COLUMNS_MOST]; /* of the words, where they are numbers */
} Row;

/* From the word at @from on there must be numbers. Returns: how many */
static guint read_numbers(Row *row, guint from)
{
    for (guint i = from; i < row->n; i++) {
        if (!text_read_number(row->words[i], 10, &row->values[i]))
            return 0;
    }
    return row->n > from ? row->n - from : 0;
}

/* @scale: by what each is multiplied, and divided */
static void write_values(JsonWrite *write, const char *const *members, const guint64 *values,
                         guint n, const guint64 scale[2])
{
    for (guint i = 0; i < n && members[i] != NULL; i++) {
        json_write_member_uint64(write, members[i],
                                 MIN(values[i], G_MAXUINT64 / scale[0]) * scale[0] / scale[1]);
    }
}

/* The result is what @write_row writes of each line of a file, which may be nothing. */
static gboolean write_rows(Commands *commands, const char *path,
                           void (*write_row)(JsonWrite *write, Row *row), Call *call,
                           GError **error)
{
    g_autofree char *text = text_file_read(commands->system, path, NULL, error);
    JsonWrite *write = call_result(call);
    char *at = text, *line;
    Row row;

    if (text == NULL)
        return FALSE;
    json_write_begin_array(write);
    while ((line = text_next_line(&at)) != NULL) {
        row.n = text_split(line, row.words, COLUMNS_MOST);
        write_row(write, &row);
    }
    json_write_end_array(write);
    return TRUE;
}

/* ---- Processors ------------------------------------------------------------------------------ */

/* Kernels of all ages have the first four. */
enum { CPU_MEMBERS_LEAST = 4 };

static void write_cpu(JsonWrite *write, Row *row)
{
    static const char *const members[] = {"user",   "nice",      "system",  "idle",
                                          "iowait", "irq",       "softirq", "steal",
                                          "guest",  "guestnice", NULL};
    const guint64 to_milliseconds[] = {1000, (guint64)MAX(sysconf(_SC_CLK_TCK), 1)};
    guint64 number;

    /* The line of all processors together is called cpu, without a number. */
    if (row->n == 0 || !g_str_has_prefix(row->words[0], "cpu") ||
        !text_read_number(row->words[0] + 3, 10, &number) || number > G_MAXINT64 ||
        read_numbers(row, 1) < CPU_MEMBERS_LEAST)
        return;
    json_write_begin_object(write);
    json_write_member_string(write, "type", "linux");
    json_write_member_uint64(write, "cpu", number);
    write_values(write, members, row->values + 1, row->n - 1, to_milliseconds);
    json_write_end_object(write);
}

gboolean guest_get_cpustats(Commands *commands, Call *call, GError **error)
{
    return write_rows(commands, "/proc/stat", write_cpu, call, error);
}

/* ---- Disks ----------------------------------------------------------------------------------- */

/* Before its counters a line has the numbers and the name of the device. */
enum { DISK_WORDS_BEFORE = 3, DISK_MEMBERS_LEAST = 11 };

static void write_disk(JsonWrite *write, Row *row)
{
    static const char *const members[] = {
        "read-ios",       "read-merges",     "read-sectors",
        "read-ticks",     "write-ios",       "write-merges",
        "write-sectors",  "write-ticks",     "ios-pgr",
        "total-ticks",    "weight-ticks",    "discard-ios",
        "discard-merges", "discard-sectors", "discard-ticks",
        "flush-ios",      "flush-ticks",     NULL,
    };
    /* What Linux before 2.6.25 has of a partition. */
    static const char *const few[] = {"read-ios", "read-sectors", "write-ios", "write-sectors",
                                      NULL};
    static const guint64 as_is[] = {1, 1};
    guint n = read_numbers(row, DISK_WORDS_BEFORE);
    gboolean is_short = n + 1 == G_N_ELEMENTS(few);

    if ((n < DISK_MEMBERS_LEAST && !is_short) ||
        !text_read_number(row->words[0], 10, &row->values[0]) ||
        !text_read_number(row->words[1], 10, &row->values[1]))
        return;
    json_write_begin_object(write);
    json_write_member_string(write, "name", row->words[2]);
    json_write_member_uint64(write, "major", row->values[0]);
    json_write_member_uint64(write, "minor", row->values[1]);
    json_write_key(write, "stats");
    json_write_begin_object(write);
    write_values(write, is_short ? few : members, row->values + DISK_WORDS_BEFORE, n, as_is);
    json_write_end_object(write);
    json_write_end_object(write);
}

gboolean guest_get_diskstats(Commands *commands, Call *call, GError **error)
{
    return write_rows(commands, "/proc/diskstats", write_disk, call, error);
}
