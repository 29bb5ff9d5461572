/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/fixture-system.h"
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

static CommandFixture *fixture_of(System *system)
{
    return (CommandFixture *)(gpointer)((char *)system - offsetof(CommandFixture, system));
}

void fixture_note(CommandFixture *fixture, const char *format, ...)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);
    va_list args;

    if (fixture->log->len > 0)
        g_string_append(fixture->log, ", ");
    va_start(args, format);
    g_string_append_vprintf(fixture->log, format, args);
    va_end(args);
}

/* ---- The system ------------------------------------------------------------------------------ */

static char *fake_read_mounts(System *system, GError **error)
{
    CommandFixture *fixture = fixture_of(system);

    if (fixture->gate != NULL) {
        g_mutex_lock(fixture->gate);
        g_mutex_unlock(fixture->gate);
    }
    if (fixture->mounts == NULL)
        qmp_error_set(error, "no mounts");
    return g_strdup(fixture->mounts);
}

/* Descriptors count from here: whoever takes one for a real one is found out. */
enum { FIRST_DESCRIPTOR = 100000 };

static const char *directory_of(CommandFixture *fixture, int fd)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);

    g_assert_cmpint(fd - FIRST_DESCRIPTOR, <, fixture->opened->len);
    g_assert_nonnull(fixture->opened->pdata[fd - FIRST_DESCRIPTOR]);
    return fixture->opened->pdata[fd - FIRST_DESCRIPTOR];
}

static SystemOpen fake_open_mount(System *system, const char *directory, dev_t device, int *ret_fd)
{
    CommandFixture *fixture = fixture_of(system);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);

    if (g_strcmp0(directory, fixture->hidden) == 0)
        return SYSTEM_OPEN_HIDDEN;
    if (g_strcmp0(directory, fixture->unopenable) == 0) {
        errno = EACCES;
        return SYSTEM_OPEN_FAILED;
    }
    *ret_fd = FIRST_DESCRIPTOR + (int)fixture->opened->len;
    g_ptr_array_add(fixture->opened, g_strdup(directory));
    return SYSTEM_OPEN_DONE;
}

static void fake_close_mount(System *system, int fd)
{
    CommandFixture *fixture = fixture_of(system);

    directory_of(fixture, fd);
    g_clear_pointer(&fixture->opened->pdata[fd - FIRST_DESCRIPTOR], g_free);
}

static void fake_sync(System *system, int fd)
{
    CommandFixture *fixture = fixture_of(system);

    if (fixture->tells_syncs)
        fixture_note(fixture, "sync %s", directory_of(fixture, fd));
}

static void wait_for_company(CommandFixture *fixture)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);

    fixture->freezing++;
    g_cond_broadcast(&fixture->changed);
    while (fixture->freezing < fixture->together)
        g_cond_wait(&fixture->changed, &fixture->lock);
}

static void wait_for_thaw(CommandFixture *fixture)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fixture->lock);
    guint frozen = g_hash_table_size(fixture->frozen);

    while (g_hash_table_size(fixture->frozen) >= frozen)
        g_cond_wait(&fixture->changed, &fixture->lock);
}

static SystemFreeze fake_freeze(System *system, int fd)
{
    CommandFixture *fixture = fixture_of(system);
    const char *directory = directory_of(fixture, fd);
    g_autofree char *expedited = NULL;
    gboolean busy;

    g_mutex_lock(&fixture->lock);
    busy = g_hash_table_contains(fixture->frozen, directory);
    g_mutex_unlock(&fixture->lock);
    if (busy)
        return SYSTEM_FREEZE_BUSY;
    expedited = fixture_read(fixture, "/sys/kernel/rcu_expedited");
    fixture_note(fixture, "freeze %s%s", directory,
                 g_strcmp0(expedited, "1") == 0 ? " at once" : "");
    if (g_strcmp0(directory, fixture->refusing) == 0) {
        errno = EPERM;
        return SYSTEM_FREEZE_FAILED;
    }
    if (g_strcmp0(directory, fixture->skipping) == 0)
        return SYSTEM_FREEZE_UNABLE;
    wait_for_company(fixture);
    if (g_strcmp0(directory, fixture->stuck) == 0)
        wait_for_thaw(fixture);
    g_mutex_lock(&fixture->lock);
    g_hash_table_add(fixture->frozen, g_strdup(directory));
    g_mutex_unlock(&fixture->lock);
    return SYSTEM_FREEZE_DONE;
}

static gboolean fake_thaw(System *system, int fd)
{
    CommandFixture *fixture = fixture_of(system);
    const char *directory = directory_of(fixture, fd);
    gboolean found;

    g_mutex_lock(&fixture->lock);
    found = g_hash_table_remove(fixture->frozen, directory);
    g_cond_broadcast(&fixture->changed);
    g_mutex_unlock(&fixture->lock);
    if (found)
        fixture_note(fixture, "thaw %s", directory);
    errno = EINVAL;
    return found;
}

static gboolean fake_trim(System *system, int fd, guint64 *minimum, guint64 *ret_trimmed)
{
    CommandFixture *fixture = fixture_of(system);

    if (g_strcmp0(directory_of(fixture, fd), fixture->untrimmable) == 0) {
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
    CommandFixture *fixture = fixture_of(system);
    g_autofree char *line = g_strjoinv(" ", (char **)(gpointer)program->argv);
    g_autofree char *input = g_strndup(program->input, program->input_len);
    g_autoptr(GError) error = NULL;
    SystemExit result = {
        .status = fixture->status,
        .overdue = fixture->overdue,
        .output = fixture->output,
    };

    if (fixture->overdue)
        qmp_error_set(&error, "killed, since it had not ended");
    result.error = error;
    if (input != NULL)
        fixture_note(fixture, "feed %s", g_strchomp(input));
    fixture_note(fixture, "run %s", line);
    if (fixture->hold) {
        Held held = {done, user};

        g_array_append_val(fixture->held, held);
        return;
    }
    if (fixture->failing != NULL && g_str_has_suffix(line, fixture->failing))
        result.status = 1;
    if (result.status != 0 && !fixture->overdue)
        result.error = fixture->program_error;
    done(user, &result);
}

static gboolean fake_measure(System *system, const char *directory, dev_t device, SystemUsage *ret)
{
    if (g_strcmp0(directory, fixture_of(system)->hidden) == 0)
        return FALSE;
    *ret = (SystemUsage){1000, 3000, 4000};
    return TRUE;
}

static gboolean fake_read_nvme_smart(System *system, const char *node,
                                     guint8 ret[SYSTEM_NVME_SMART_BYTES])
{
    CommandFixture *fixture = fixture_of(system);

    if (fixture->smart != NULL)
        memcpy(ret, fixture->smart, SYSTEM_NVME_SMART_BYTES);
    return fixture->smart != NULL;
}

static char *fake_find_tool(System *system, const char *name)
{
    g_autofree char *word = g_strconcat(name, " ", NULL);

    if (strstr(fixture_of(system)->tools, word) == NULL)
        return NULL;
    return g_strdup(name);
}

static char *fake_read_file(System *system, const char *path)
{
    CommandFixture *fixture = fixture_of(system);

    return g_strdup(g_str_has_suffix(path, "/state") ? fixture->power_state : fixture->power_disk);
}

static gboolean fake_write_file(System *system, const char *path, const char *text, GError **error)
{
    fixture_note(fixture_of(system), "write %s to %s", text, path);
    return TRUE;
}

static gboolean fake_set_clock(System *system, gint64 seconds, gint64 microseconds, GError **error)
{
    CommandFixture *fixture = fixture_of(system);

    if (fixture->clock_error != NULL) {
        g_propagate_error(error, g_error_copy(fixture->clock_error));
        return FALSE;
    }
    fixture_note(fixture, "clock %" G_GINT64_FORMAT ".%06d", seconds, (int)microseconds);
    return TRUE;
}

static gboolean fake_has_rtc(System *system)
{
    return fixture_of(system)->rtc != NULL;
}

static gboolean fake_read_rtc(System *system, struct tm *ret_time, GError **error)
{
    CommandFixture *fixture = fixture_of(system);

    if (fixture->rtc == NULL) {
        qmp_error_set(error, "no hardware clock");
        return FALSE;
    }
    *ret_time = *fixture->rtc;
    return TRUE;
}

static gboolean fake_write_rtc(System *system, const struct tm *time, GError **error)
{
    fixture_note(fixture_of(system), "rtc %d-%02d-%02d %02d:%02d:%02d", time->tm_year + 1900,
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
    fixture_note(fixture_of(system), frozen ? "quiet" : "loud");
}

/* ---- Dispatch -------------------------------------------------------------------------------- */

static void on_reply(gpointer user, const char *text, gsize len)
{
    CommandFixture *fixture = user;

    g_string_append_len(fixture->replies, text, (gssize)len);
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
    CommandFixture *fixture = user;

    capabilities_drop(&fixture->commands);
}

/* A peer that takes whatever there is. */
static void on_parts(gpointer user)
{
    CommandFixture *fixture = user;

    fixture->parts++;
    while (!fixture->hold_parts && dispatch_pull(&fixture->dispatch))
        continue;
}

static const DispatchCallbacks callbacks = {
    .reply = on_reply,
    .reply_bytes = on_reply_bytes,
    .parts = on_parts,
    .idle = on_idle,
    .plain = on_plain,
};

void fixture_init(CommandFixture *fixture, const char *hook)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    GError *error = NULL;

    *fixture = (CommandFixture){
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
    g_mutex_init(&fixture->lock);
    g_cond_init(&fixture->changed);
    fixture->directory = g_dir_make_tmp("qga-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->system.root = fixture->directory;
    fixture_attach_system(fixture);
    policy_init(&fixture->policy, none, none);
    state_init(&fixture->state, fixture->directory);
    fixture->commands = (Commands){
        .system = &fixture->system,
        .policy = &fixture->policy,
        .state = &fixture->state,
        .files = files_new(),
        .programs = programs_new(LIMIT_EXEC_HOLD_MS),
    };
    fixture->commands.freezer = freezer_new(&fixture->commands, &(FreezerOptions){.hook = hook});
    dispatch_init(&fixture->dispatch, &fixture->commands, &callbacks, fixture);
}

void fixture_set_freezer(CommandFixture *fixture, const FreezerOptions *options)
{
    freezer_free(fixture->commands.freezer);
    fixture->policy.frozen = FALSE;
    fixture->commands.freezer = freezer_new(&fixture->commands, options);
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

void fixture_clear(CommandFixture *fixture)
{
    g_assert_false(dispatch_is_working(&fixture->dispatch));
    dispatch_clear(&fixture->dispatch);
    freezer_free(fixture->commands.freezer);
    programs_free(fixture->commands.programs);
    files_free(fixture->commands.files);
    state_clear(&fixture->state);
    policy_clear(&fixture->policy);
    remove_directory(fixture->directory);
    g_free(fixture->directory);
    g_clear_error(&fixture->clock_error);
    g_hash_table_unref(fixture->frozen);
    for (guint i = 0; i < fixture->opened->len; i++)
        g_assert_null(fixture->opened->pdata[i]);
    g_ptr_array_unref(fixture->opened);
    g_mutex_clear(&fixture->lock);
    g_cond_clear(&fixture->changed);
    g_string_free(fixture->replies, TRUE);
    g_string_free(fixture->log, TRUE);
    g_array_unref(fixture->held);
}

static char *take(GString *text)
{
    char *taken = g_strdup(text->str);

    g_string_truncate(text, 0);
    return taken;
}

/* Returns: (transfer full): where it really is; the folder that it is in is made */
static char *place(CommandFixture *fixture, const char *path)
{
    char *file = g_build_filename(fixture->directory, path, NULL);
    g_autofree char *folder = g_path_get_dirname(file);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    return file;
}

void fixture_write_bytes(CommandFixture *fixture, const char *path, const char *data, gsize len)
{
    g_autofree char *file = place(fixture, path);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(file, data, (gssize)len, &error);
    g_assert_no_error(error);
}

void fixture_write(CommandFixture *fixture, const char *path, const char *text)
{
    fixture_write_bytes(fixture, path, text, strlen(text));
}

char *fixture_ask(CommandFixture *fixture, const char *request)
{
    dispatch_request(&fixture->dispatch, (JsonSpan){request, strlen(request)});
    while (dispatch_is_busy(&fixture->dispatch) && fixture->held->len == 0)
        g_main_context_iteration(NULL, TRUE);
    return take(fixture->replies);
}

void fixture_check(CommandFixture *fixture, const char *request, const char *reply)
{
    g_autofree char *found = fixture_ask(fixture, request);
    g_autofree char *line = g_strconcat(reply, *reply != '\0' ? "\n" : "", NULL);

    g_assert_cmpstr(found, ==, line);
}

void fixture_check_words(gboolean ok, const GError *error, const char *words)
{
    g_assert_true(ok == (words == NULL));
    if (words == NULL)
        g_assert_no_error(error);
    else if (strstr(error->message, words) == NULL)
        g_assert_cmpstr(error->message, ==, words);
}

void fixture_check_error(CommandFixture *fixture, const char *request, const char *desc)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) reply = g_string_new(NULL);

    qmp_error_set(&error, "%s", desc);
    message_error(reply, MESSAGE_AGENT, error, JSON_SPAN_NONE);
    g_string_truncate(reply, reply->len - 1);
    fixture_check(fixture, request, reply->str);
}

static void check_object(CommandFixture *fixture, const char *request)
{
    g_autofree char *reply = fixture_ask(fixture, request);
    gsize len = strlen(reply);
    JsonScan scan;

    json_scan_init(&scan, &JSON_SCAN_LIMITS(LIMIT_JSON_BYTES));
    g_assert_cmpint(json_scan_next(&scan, reply, len), ==, JSON_SCAN_VALUE);
    g_assert_true(reply[scan.start] == '{');
    g_assert_cmpstr(reply + scan.end, ==, "\n");
    json_scan_clear(&scan);
}

void fixture_check_cut(CommandFixture *fixture, const char *request, const char *path,
                       const char *text, gsize len)
{
    static const char others[] = " \n\t9-xF\"'\\=:\xFF";
    g_autofree char *changed = g_memdup2(text, len);

    for (gsize i = 0; i <= len; i++) {
        fixture_write_bytes(fixture, path, text, i);
        check_object(fixture, request);
    }
    for (gsize i = 0; i < len; i++) {
        changed[i] = others[i % sizeof others]; /* the NUL behind them is one too */
        fixture_write_bytes(fixture, path, changed, len);
        check_object(fixture, request);
        changed[i] = text[i];
    }
}

char *fixture_read(CommandFixture *fixture, const char *path)
{
    g_autofree char *file = g_build_filename(fixture->directory, path, NULL);
    char *text = NULL;

    g_file_get_contents(file, &text, NULL, NULL);
    return text;
}

char *fixture_take_log(CommandFixture *fixture)
{
    return take(fixture->log);
}

void fixture_check_log(CommandFixture *fixture, const char *expected)
{
    g_autofree char *log = fixture_take_log(fixture);

    g_assert_cmpstr(log, ==, expected);
}

void fixture_wait_programs(CommandFixture *fixture, guint count)
{
    while (fixture->held->len < count)
        g_main_context_iteration(NULL, TRUE);
}

void fixture_end_program(CommandFixture *fixture, int status, const char *output)
{
    Held held;

    fixture_wait_programs(fixture, 1);
    held = g_array_index(fixture->held, Held, fixture->held->len - 1);
    g_array_set_size(fixture->held, fixture->held->len - 1);
    held.done(held.user, &(SystemExit){.status = status, .output = output});
}

void fixture_run_until(const gboolean *flag)
{
    while (!*flag)
        g_main_context_iteration(NULL, TRUE);
}
