/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/bench.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/commands/capabilities.h"
#include "agent/commands/exec.h"
#include "agent/commands/file.h"
#include "agent/commands/freeze.h"
#include "common/json-scan.h"
#include "common/message.h"
#include "common/qmp-error.h"

/* Who is told of a program's end. */
typedef struct {
    SystemDone done;
    gpointer user;
} Held;

static Bench *bench_of(System *system)
{
    return (Bench *)(gpointer)((char *)system - offsetof(Bench, system));
}

static void note(Bench *bench, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void note(Bench *bench, const char *format, ...)
{
    va_list args;

    if (bench->log->len > 0)
        g_string_append(bench->log, ", ");
    va_start(args, format);
    g_string_append_vprintf(bench->log, format, args);
    va_end(args);
}

/* ---- The system ------------------------------------------------------------------------------ */

static char *fake_read_mounts(System *system, GError **error)
{
    Bench *bench = bench_of(system);

    if (bench->mounts == NULL)
        qmp_error_set(error, "no mounts");
    return g_strdup(bench->mounts);
}

static SystemFreeze fake_freeze(System *system, const char *directory, dev_t device, GError **error)
{
    Bench *bench = bench_of(system);

    if (g_strcmp0(directory, bench->hidden) == 0)
        return SYSTEM_FREEZE_HIDDEN;
    note(bench, "freeze %s", directory);
    if (g_strcmp0(directory, bench->refusing) == 0) {
        qmp_error_set(error, "failed to freeze %s: Input/output error", directory);
        return SYSTEM_FREEZE_FAILED;
    }
    if (g_strcmp0(directory, bench->skipping) == 0)
        return SYSTEM_FREEZE_SKIPPED;
    g_hash_table_add(bench->frozen, g_strdup(directory));
    return SYSTEM_FREEZE_DONE;
}

static gboolean fake_thaw(System *system, const char *directory, dev_t device)
{
    Bench *bench = bench_of(system);

    if (!g_hash_table_remove(bench->frozen, directory))
        return FALSE;
    note(bench, "thaw %s", directory);
    return TRUE;
}

/* What a program reads is noted, or there would be no telling that it is right. */
static void fake_run(System *system, const SystemProgram *program, SystemDone done, gpointer user)
{
    Bench *bench = bench_of(system);
    g_autofree char *line = g_strjoinv(" ", (char **)(gpointer)program->argv);
    g_autofree char *input = g_strndup(program->input, program->input_len);
    SystemExit result = {.status = bench->status, .output = bench->output};

    if (input != NULL)
        note(bench, "feed %s", g_strchomp(input));
    note(bench, "run %s", line);
    if (bench->hold) {
        Held held = {done, user};

        g_array_append_val(bench->held, held);
        return;
    }
    if (bench->failing != NULL && g_str_has_suffix(line, bench->failing))
        result.status = 1;
    if (result.status != 0)
        result.error = bench->program_error;
    done(user, &result);
}

static gboolean fake_measure(System *system, const char *directory, dev_t device, SystemUsage *ret)
{
    if (g_strcmp0(directory, bench_of(system)->hidden) == 0)
        return FALSE;
    *ret = (SystemUsage){1000, 3000, 4000};
    return TRUE;
}

/* On a thread of its own: nothing is noted. */
static SystemTrim fake_trim(System *system, const char *directory, dev_t device, guint64 *minimum,
                            guint64 *ret_trimmed, GError **error)
{
    Bench *bench = bench_of(system);

    if (bench->gate != NULL) {
        g_mutex_lock(bench->gate);
        g_mutex_unlock(bench->gate);
    }
    if (g_strcmp0(directory, bench->hidden) == 0)
        return SYSTEM_TRIM_HIDDEN;
    if (g_strcmp0(directory, bench->untrimmable) == 0) {
        qmp_error_set(error, "trim not supported");
        return SYSTEM_TRIM_FAILED;
    }
    *minimum = MAX(*minimum, 512);
    *ret_trimmed = 8192;
    return SYSTEM_TRIM_DONE;
}

static gboolean fake_read_nvme_smart(System *system, const char *node,
                                     guint8 ret[SYSTEM_NVME_SMART_BYTES])
{
    Bench *bench = bench_of(system);

    if (bench->smart != NULL)
        memcpy(ret, bench->smart, SYSTEM_NVME_SMART_BYTES);
    return bench->smart != NULL;
}

static gboolean fake_find_user(System *system, const char *name, SystemUser *ret)
{
    Bench *bench = bench_of(system);

    errno = 0;
    if (g_strcmp0(name, bench->user) != 0)
        return FALSE;
    *ret = (SystemUser){getuid(), getgid(), g_strdup(bench->directory)};
    return TRUE;
}

static char *fake_find_tool(System *system, const char *name)
{
    g_autofree char *word = g_strconcat(name, " ", NULL);

    if (strstr(bench_of(system)->tools, word) == NULL)
        return NULL;
    return g_strdup(name);
}

static char *fake_read_file(System *system, const char *path)
{
    Bench *bench = bench_of(system);

    return g_strdup(g_str_has_suffix(path, "/state") ? bench->power_state : bench->power_disk);
}

static gboolean fake_write_file(System *system, const char *path, const char *text, GError **error)
{
    note(bench_of(system), "write %s to %s", text, path);
    return TRUE;
}

static gboolean fake_set_clock(System *system, gint64 seconds, gint64 microseconds, GError **error)
{
    Bench *bench = bench_of(system);

    if (bench->clock_error != NULL) {
        g_propagate_error(error, g_error_copy(bench->clock_error));
        return FALSE;
    }
    note(bench, "clock %" G_GINT64_FORMAT ".%06d", seconds, (int)microseconds);
    return TRUE;
}

static gboolean fake_has_rtc(System *system)
{
    return bench_of(system)->rtc != NULL;
}

static gboolean fake_read_rtc(System *system, struct tm *ret_time, GError **error)
{
    Bench *bench = bench_of(system);

    if (bench->rtc == NULL) {
        qmp_error_set(error, "no hardware clock");
        return FALSE;
    }
    *ret_time = *bench->rtc;
    return TRUE;
}

static gboolean fake_write_rtc(System *system, const struct tm *time, GError **error)
{
    note(bench_of(system), "rtc %d-%02d-%02d %02d:%02d:%02d", time->tm_year + 1900,
         time->tm_mon + 1, time->tm_mday, time->tm_hour, time->tm_min, time->tm_sec);
    return TRUE;
}

static void fake_set_frozen(System *system, gboolean frozen)
{
    note(bench_of(system), frozen ? "quiet" : "loud");
}

/* ---- Dispatch -------------------------------------------------------------------------------- */

static void on_reply(gpointer user, GBytes *reply)
{
    Bench *bench = user;

    g_string_append_len(bench->replies, g_bytes_get_data(reply, NULL),
                        (gssize)g_bytes_get_size(reply));
}

static void on_idle(gpointer user)
{
}

static void on_plain(gpointer user)
{
    Bench *bench = user;

    capabilities_drop(&bench->commands);
}

static const DispatchCallbacks callbacks = {on_reply, on_idle, on_plain};

void bench_init(Bench *bench, const char *hook, guint freeze_timeout_ms)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    GError *error = NULL;

    *bench = (Bench){
        .system =
            {
                .read_mounts = fake_read_mounts,
                .freeze = fake_freeze,
                .thaw = fake_thaw,
                .run = fake_run,
                .measure = fake_measure,
                .trim = fake_trim,
                .read_nvme_smart = fake_read_nvme_smart,
                .find_user = fake_find_user,
                .find_tool = fake_find_tool,
                .read_file = fake_read_file,
                .write_file = fake_write_file,
                .set_clock = fake_set_clock,
                .has_rtc = fake_has_rtc,
                .read_rtc = fake_read_rtc,
                .write_rtc = fake_write_rtc,
                .set_frozen = fake_set_frozen,
            },
        .mounts = "",
        .tools = "",
        .output = "",
        .replies = g_string_new(NULL),
        .log = g_string_new(NULL),
        .held = g_array_new(FALSE, FALSE, sizeof(Held)),
        .frozen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
    bench->directory = g_dir_make_tmp("qga-XXXXXX", &error);
    g_assert_no_error(error);
    bench->system.root = bench->directory;
    policy_init(&bench->policy, none, none);
    state_init(&bench->state, bench->directory);
    bench->commands = (Commands){
        .system = &bench->system,
        .policy = &bench->policy,
        .state = &bench->state,
        .files = files_new(),
        .programs = programs_new(),
    };
    bench->commands.freezer = freezer_new(&bench->commands, hook, freeze_timeout_ms);
    dispatch_init(&bench->dispatch, &bench->commands, &callbacks, bench);
}

static void remove_directory(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        if (g_file_test(file, G_FILE_TEST_IS_DIR) && !g_file_test(file, G_FILE_TEST_IS_SYMLINK))
            remove_directory(file);
        else
            g_remove(file);
    }
    g_assert_cmpint(g_rmdir(path), ==, 0);
}

void bench_clear(Bench *bench)
{
    g_assert_false(dispatch_is_working(&bench->dispatch));
    dispatch_clear(&bench->dispatch);
    freezer_free(bench->commands.freezer);
    programs_free(bench->commands.programs);
    files_free(bench->commands.files);
    state_clear(&bench->state);
    policy_clear(&bench->policy);
    remove_directory(bench->directory);
    g_free(bench->directory);
    g_clear_error(&bench->clock_error);
    g_hash_table_unref(bench->frozen);
    g_string_free(bench->replies, TRUE);
    g_string_free(bench->log, TRUE);
    g_array_unref(bench->held);
}

static char *take(GString *text)
{
    char *taken = g_strdup(text->str);

    g_string_truncate(text, 0);
    return taken;
}

/* Returns: (transfer full): where it really is; the folder that it is in is made */
static char *place(Bench *bench, const char *path)
{
    char *file = g_build_filename(bench->directory, path, NULL);
    g_autofree char *folder = g_path_get_dirname(file);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    return file;
}

void bench_write_bytes(Bench *bench, const char *path, const char *data, gsize len)
{
    g_autofree char *file = place(bench, path);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(file, data, (gssize)len, &error);
    g_assert_no_error(error);
}

void bench_write(Bench *bench, const char *path, const char *text)
{
    bench_write_bytes(bench, path, text, strlen(text));
}

char *bench_ask(Bench *bench, const char *request)
{
    dispatch_request(&bench->dispatch, (JsonSpan){request, strlen(request)});
    while (dispatch_is_busy(&bench->dispatch) && bench->held->len == 0)
        g_main_context_iteration(NULL, TRUE);
    return take(bench->replies);
}

void bench_check(Bench *bench, const char *request, const char *reply)
{
    g_autofree char *found = bench_ask(bench, request);
    g_autofree char *line = g_strconcat(reply, *reply != '\0' ? "\n" : "", NULL);

    g_assert_cmpstr(found, ==, line);
}

void bench_check_error(Bench *bench, const char *request, const char *desc)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) reply = g_string_new(NULL);

    qmp_error_set(&error, "%s", desc);
    message_error(reply, MESSAGE_AGENT, error, JSON_SPAN_NONE);
    g_string_truncate(reply, reply->len - 1);
    bench_check(bench, request, reply->str);
}

static void check_object(Bench *bench, const char *request)
{
    g_autofree char *reply = bench_ask(bench, request);
    gsize len = strlen(reply);
    JsonScan scan;

    json_scan_init(&scan, &JSON_SCAN_LIMITS(LIMIT_JSON_BYTES));
    g_assert_cmpint(json_scan_next(&scan, reply, len), ==, JSON_SCAN_VALUE);
    g_assert_true(reply[scan.start] == '{');
    g_assert_cmpstr(reply + scan.end, ==, "\n");
    json_scan_clear(&scan);
}

void bench_check_cut(Bench *bench, const char *request, const char *path, const char *text,
                     gsize len)
{
    static const char others[] = " \n\t9-xF\"'\\=:\xFF";
    g_autofree char *changed = g_memdup2(text, len);

    for (gsize i = 0; i <= len; i++) {
        bench_write_bytes(bench, path, text, i);
        check_object(bench, request);
    }
    for (gsize i = 0; i < len; i++) {
        changed[i] = others[i % sizeof others]; /* the NUL behind them is one too */
        bench_write_bytes(bench, path, changed, len);
        check_object(bench, request);
        changed[i] = text[i];
    }
}

void bench_link(Bench *bench, const char *path, const char *target)
{
    g_autofree char *file = place(bench, path);
    g_autofree char *real = g_build_filename(bench->directory, target, NULL);

    g_assert_cmpint(symlink(real, file), ==, 0);
}

char *bench_read(Bench *bench, const char *path)
{
    g_autofree char *file = g_build_filename(bench->directory, path, NULL);
    char *text = NULL;

    g_file_get_contents(file, &text, NULL, NULL);
    return text;
}

char *bench_take_log(Bench *bench)
{
    return take(bench->log);
}

void bench_check_log(Bench *bench, const char *expected)
{
    g_autofree char *log = bench_take_log(bench);

    g_assert_cmpstr(log, ==, expected);
}

void bench_end_program(Bench *bench, int status, const char *output)
{
    Held held;

    g_assert_cmpuint(bench->held->len, >, 0);
    held = g_array_index(bench->held, Held, bench->held->len - 1);
    g_array_set_size(bench->held, bench->held->len - 1);
    held.done(held.user, &(SystemExit){.status = status, .output = output});
}

void bench_run_until(const gboolean *flag)
{
    while (!*flag)
        g_main_context_iteration(NULL, TRUE);
}
