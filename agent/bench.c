/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/bench.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/bench-system.h"
#include "agent/commands/capabilities.h"
#include "agent/commands/exec.h"
#include "agent/commands/file.h"
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

void bench_note(Bench *bench, const char *format, ...)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bench->lock);
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

    if (bench->gate != NULL) {
        g_mutex_lock(bench->gate);
        g_mutex_unlock(bench->gate);
    }
    if (bench->mounts == NULL)
        qmp_error_set(error, "no mounts");
    return g_strdup(bench->mounts);
}

/* Descriptors count from here: whoever takes one for a real one is found out. */
enum { FIRST_DESCRIPTOR = 100000 };

static const char *directory_of(Bench *bench, int fd)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bench->lock);

    g_assert_cmpint(fd - FIRST_DESCRIPTOR, <, bench->opened->len);
    g_assert_nonnull(bench->opened->pdata[fd - FIRST_DESCRIPTOR]);
    return bench->opened->pdata[fd - FIRST_DESCRIPTOR];
}

static SystemOpen fake_open_mount(System *system, const char *directory, dev_t device, int *ret_fd)
{
    Bench *bench = bench_of(system);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bench->lock);

    if (g_strcmp0(directory, bench->hidden) == 0)
        return SYSTEM_OPEN_HIDDEN;
    if (g_strcmp0(directory, bench->unopenable) == 0) {
        errno = EACCES;
        return SYSTEM_OPEN_FAILED;
    }
    *ret_fd = FIRST_DESCRIPTOR + (int)bench->opened->len;
    g_ptr_array_add(bench->opened, g_strdup(directory));
    return SYSTEM_OPEN_DONE;
}

static void fake_close_mount(System *system, int fd)
{
    Bench *bench = bench_of(system);

    directory_of(bench, fd);
    g_clear_pointer(&bench->opened->pdata[fd - FIRST_DESCRIPTOR], g_free);
}

static void fake_sync(System *system, int fd)
{
    Bench *bench = bench_of(system);

    if (bench->tells_syncs)
        bench_note(bench, "sync %s", directory_of(bench, fd));
}

static void wait_for_company(Bench *bench)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bench->lock);

    bench->freezing++;
    g_cond_broadcast(&bench->changed);
    while (bench->freezing < bench->together)
        g_cond_wait(&bench->changed, &bench->lock);
}

static void wait_for_thaw(Bench *bench)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bench->lock);
    guint frozen = g_hash_table_size(bench->frozen);

    while (g_hash_table_size(bench->frozen) >= frozen)
        g_cond_wait(&bench->changed, &bench->lock);
}

static SystemFreeze fake_freeze(System *system, int fd)
{
    Bench *bench = bench_of(system);
    const char *directory = directory_of(bench, fd);
    g_autofree char *expedited = NULL;
    gboolean busy;

    g_mutex_lock(&bench->lock);
    busy = g_hash_table_contains(bench->frozen, directory);
    g_mutex_unlock(&bench->lock);
    if (busy)
        return SYSTEM_FREEZE_BUSY;
    expedited = bench_read(bench, "/sys/kernel/rcu_expedited");
    bench_note(bench, "freeze %s%s", directory, g_strcmp0(expedited, "1") == 0 ? " at once" : "");
    if (g_strcmp0(directory, bench->refusing) == 0) {
        errno = EPERM;
        return SYSTEM_FREEZE_FAILED;
    }
    if (g_strcmp0(directory, bench->skipping) == 0)
        return SYSTEM_FREEZE_UNABLE;
    wait_for_company(bench);
    if (g_strcmp0(directory, bench->stuck) == 0)
        wait_for_thaw(bench);
    g_mutex_lock(&bench->lock);
    g_hash_table_add(bench->frozen, g_strdup(directory));
    g_mutex_unlock(&bench->lock);
    return SYSTEM_FREEZE_DONE;
}

static gboolean fake_thaw(System *system, int fd)
{
    Bench *bench = bench_of(system);
    const char *directory = directory_of(bench, fd);
    gboolean found;

    g_mutex_lock(&bench->lock);
    found = g_hash_table_remove(bench->frozen, directory);
    g_cond_broadcast(&bench->changed);
    g_mutex_unlock(&bench->lock);
    if (found)
        bench_note(bench, "thaw %s", directory);
    errno = EINVAL;
    return found;
}

static gboolean fake_trim(System *system, int fd, guint64 *minimum, guint64 *ret_trimmed)
{
    Bench *bench = bench_of(system);

    if (g_strcmp0(directory_of(bench, fd), bench->untrimmable) == 0) {
        errno = EOPNOTSUPP;
        return FALSE;
    }
    *minimum = MAX(*minimum, 512);
    *ret_trimmed = 8192;
    return TRUE;
}

/* What a program reads is noted, or there would be no telling that it is right. */
static void fake_run(System *system, const SystemProgram *program, SystemDone done, gpointer user)
{
    Bench *bench = bench_of(system);
    g_autofree char *line = g_strjoinv(" ", (char **)(gpointer)program->argv);
    g_autofree char *input = g_strndup(program->input, program->input_len);
    g_autoptr(GError) error = NULL;
    SystemExit result = {
        .status = bench->status,
        .overdue = bench->overdue,
        .output = bench->output,
    };

    if (bench->overdue)
        qmp_error_set(&error, "killed, since it had not ended");
    result.error = error;
    if (input != NULL)
        bench_note(bench, "feed %s", g_strchomp(input));
    bench_note(bench, "run %s", line);
    if (bench->hold) {
        Held held = {done, user};

        g_array_append_val(bench->held, held);
        return;
    }
    if (bench->failing != NULL && g_str_has_suffix(line, bench->failing))
        result.status = 1;
    if (result.status != 0 && !bench->overdue)
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

static gboolean fake_read_nvme_smart(System *system, const char *node,
                                     guint8 ret[SYSTEM_NVME_SMART_BYTES])
{
    Bench *bench = bench_of(system);

    if (bench->smart != NULL)
        memcpy(ret, bench->smart, SYSTEM_NVME_SMART_BYTES);
    return bench->smart != NULL;
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
    bench_note(bench_of(system), "write %s to %s", text, path);
    return TRUE;
}

static gboolean fake_set_clock(System *system, gint64 seconds, gint64 microseconds, GError **error)
{
    Bench *bench = bench_of(system);

    if (bench->clock_error != NULL) {
        g_propagate_error(error, g_error_copy(bench->clock_error));
        return FALSE;
    }
    bench_note(bench, "clock %" G_GINT64_FORMAT ".%06d", seconds, (int)microseconds);
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
    bench_note(bench_of(system), "rtc %d-%02d-%02d %02d:%02d:%02d", time->tm_year + 1900,
               time->tm_mon + 1, time->tm_mday, time->tm_hour, time->tm_min, time->tm_sec);
    return TRUE;
}

static void fake_hurry(System *system, gboolean hurry)
{
}

static GThread *fake_start_thread(System *system, const char *name, GThreadFunc run, gpointer data)
{
    return g_thread_try_new(name, run, data, NULL);
}

static void fake_set_frozen(System *system, gboolean frozen)
{
    bench_note(bench_of(system), frozen ? "quiet" : "loud");
}

/* ---- Dispatch -------------------------------------------------------------------------------- */

static void on_reply(gpointer user, const char *text, gsize len)
{
    Bench *bench = user;

    g_string_append_len(bench->replies, text, (gssize)len);
}

static void on_reply_bytes(gpointer user, GBytes *bytes)
{
    on_reply(user, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void on_idle(gpointer user)
{
}

static void on_plain(gpointer user)
{
    Bench *bench = user;

    capabilities_drop(&bench->commands);
}

/* A peer that takes whatever there is. */
static void on_parts(gpointer user)
{
    Bench *bench = user;

    bench->parts++;
    while (!bench->hold_parts && dispatch_pull(&bench->dispatch))
        continue;
}

static const DispatchCallbacks callbacks = {
    .reply = on_reply,
    .reply_bytes = on_reply_bytes,
    .parts = on_parts,
    .idle = on_idle,
    .plain = on_plain,
};

void bench_init(Bench *bench, const char *hook)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    GError *error = NULL;

    *bench = (Bench){
        .system =
            {
                .read_mounts = fake_read_mounts,
                .open_mount = fake_open_mount,
                .close_mount = fake_close_mount,
                .sync = fake_sync,
                .freeze = fake_freeze,
                .thaw = fake_thaw,
                .trim = fake_trim,
                .run = fake_run,
                .measure = fake_measure,
                .read_nvme_smart = fake_read_nvme_smart,
                .find_tool = fake_find_tool,
                .read_file = fake_read_file,
                .write_file = fake_write_file,
                .set_clock = fake_set_clock,
                .has_rtc = fake_has_rtc,
                .read_rtc = fake_read_rtc,
                .write_rtc = fake_write_rtc,
                .hurry = fake_hurry,
                .start_thread = fake_start_thread,
                .set_frozen = fake_set_frozen,
            },
        .mounts = "",
        .tools = "",
        .output = "",
        .replies = g_string_new(NULL),
        .log = g_string_new(NULL),
        .held = g_array_new(FALSE, FALSE, sizeof(Held)),
        .frozen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .opened = g_ptr_array_new_with_free_func(g_free),
    };
    g_mutex_init(&bench->lock);
    g_cond_init(&bench->changed);
    bench->directory = g_dir_make_tmp("qga-XXXXXX", &error);
    g_assert_no_error(error);
    bench->system.root = bench->directory;
    bench_attach_system(bench);
    policy_init(&bench->policy, none, none);
    state_init(&bench->state, bench->directory);
    bench->commands = (Commands){
        .system = &bench->system,
        .policy = &bench->policy,
        .state = &bench->state,
        .files = files_new(),
        .programs = programs_new(LIMIT_EXEC_HOLD_MS),
    };
    bench->commands.freezer = freezer_new(&bench->commands, &(FreezerOptions){.hook = hook});
    dispatch_init(&bench->dispatch, &bench->commands, &callbacks, bench);
}

void bench_set_freezer(Bench *bench, const FreezerOptions *options)
{
    freezer_free(bench->commands.freezer);
    bench->policy.frozen = FALSE;
    bench->commands.freezer = freezer_new(&bench->commands, options);
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
    for (guint i = 0; i < bench->opened->len; i++)
        g_assert_null(bench->opened->pdata[i]);
    g_ptr_array_unref(bench->opened);
    g_mutex_clear(&bench->lock);
    g_cond_clear(&bench->changed);
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

void bench_check_words(gboolean ok, const GError *error, const char *words)
{
    g_assert_true(ok == (words == NULL));
    if (words == NULL)
        g_assert_no_error(error);
    else if (strstr(error->message, words) == NULL)
        g_assert_cmpstr(error->message, ==, words);
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

void bench_wait_programs(Bench *bench, guint count)
{
    while (bench->held->len < count)
        g_main_context_iteration(NULL, TRUE);
}

void bench_end_program(Bench *bench, int status, const char *output)
{
    Held held;

    bench_wait_programs(bench, 1);
    held = g_array_index(bench->held, Held, bench->held->len - 1);
    g_array_set_size(bench->held, bench->held->len - 1);
    held.done(held.user, &(SystemExit){.status = status, .output = output});
}

void bench_run_until(const gboolean *flag)
{
    while (!*flag)
        g_main_context_iteration(NULL, TRUE);
}
