/* SPDX-License-Identifier: GPL-2.0-or-later */

/* exec: guest-exec, guest-exec-status. */

#include "exec.h"

#include "base64.h"
#include "common/limits.h"
#include "common/qmp-error.h"

/* Bytes of output that the main loop writes out itself, in some microseconds. */
enum { OUTPUT_SMALL = 16 * 1024 };

typedef struct {
    Process *process;
    gint64 started; /* monotonic, microseconds */
} Program;

struct Programs {
    GHashTable
        *started; /* of Program, by process_id(): the key is that number, not a pointer to it */
    GQueue held;  /* of Question: in the order in which they came */
    guint hold_ms;
};

/* One for the status of a program that has not ended yet. */
typedef struct {
    Programs *programs;
    const Program *program;
    Call *call;
    guint timer;
} Question;

static gpointer key_of(gint64 pid)
{
    return GSIZE_TO_POINTER((gsize)pid);
}

static Program *program_new(Process *process)
{
    Program *program = g_new(Program, 1);

    *program = (Program){process, g_get_monotonic_time()};
    return program;
}

static void program_free(gpointer data)
{
    Program *program = data;

    process_free(program->process);
    g_free(program);
}

Programs *programs_new(guint hold_ms)
{
    Programs *programs = g_new0(Programs, 1);

    process_init();
    programs->hold_ms = hold_ms;
    programs->started = g_hash_table_new_full(NULL, NULL, NULL, program_free);
    return programs;
}

static ProcessCapture read_capture(const GuestAlternate *capture)
{
    static const ProcessCapture modes[] = {
        [GUEST_EXEC_CAPTURE_NONE] = 0,
        [GUEST_EXEC_CAPTURE_STDOUT] = PROCESS_CAPTURE_OUT,
        [GUEST_EXEC_CAPTURE_STDERR] = PROCESS_CAPTURE_ERR,
        [GUEST_EXEC_CAPTURE_SEPARATED] = PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_ERR,
        [GUEST_EXEC_CAPTURE_MERGED] = PROCESS_CAPTURE_MERGED,
    };

    if (capture->kind == JSON_KIND_BOOLEAN)
        return modes[capture->value ? GUEST_EXEC_CAPTURE_SEPARATED : GUEST_EXEC_CAPTURE_NONE];
    return modes[capture->value];
}

/* The program's own name, its arguments, and a NULL; strings stay with @args. */
static GPtrArray *build_argv(const GuestExecArguments *args)
{
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, args->path);
    for (guint i = 0; args->arg != NULL && i < args->arg->len; i++)
        g_ptr_array_add(argv, g_array_index(args->arg, char *, i));
    g_ptr_array_add(argv, NULL);
    return argv;
}

/* Of those that have ended: hosts that start and forget would come to a point where nothing can be
 * started any more. Returns: whether there was one */
static gboolean forget_oldest(Programs *programs)
{
    const Program *oldest = NULL;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, programs->started);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Program *program = value;

        if (process_has_ended(program->process) &&
            (oldest == NULL || program->started < oldest->started))
            oldest = program;
    }
    if (oldest == NULL)
        return FALSE;
    g_message("nobody has asked how program %" G_GINT64_FORMAT " ended: that is forgotten",
              process_id(oldest->process));
    return g_hash_table_remove(programs->started, key_of(process_id(oldest->process)));
}

/* Answers those who have asked already. */
static void on_program_end(Process *process, gpointer user);

gboolean guest_exec(Commands *commands, const GuestExecArguments *args, Call *call, GError **error)
{
    Programs *programs = commands->programs;
    JsonWrite *write = call_result(call);
    g_autoptr(GPtrArray) argv = build_argv(args);
    g_autofree guint8 *input = NULL;
    ProcessSpec spec = {
        .argv = (const char *const *)argv->pdata,
        .env = args->env != NULL ? (const char *const *)(gpointer)args->env->data : NULL,
        .capture = read_capture(&args->capture_output),
        .capture_limit = LIMIT_EXEC_CAPTURE_BYTES,
        .ended = on_program_end,
        .user = programs,
    };
    Process *process;

    if (g_hash_table_size(programs->started) >= LIMIT_EXEC_RECORDS && !forget_oldest(programs)) {
        qmp_error_set(error, "too many programs: %d are running", LIMIT_EXEC_RECORDS);
        return FALSE;
    }
    if (args->input_data.text != NULL) {
        input = base64_decode(args->input_data, &spec.input_len, error);
        if (input == NULL)
            return FALSE;
        spec.input = input;
    }
    process = process_spawn(&spec, error);
    if (process == NULL)
        return FALSE;
    g_hash_table_insert(programs->started, key_of(process_id(process)), program_new(process));
    json_write_begin_object(write);
    json_write_member_int64(write, "pid", process_id(process));
    json_write_end_object(write);
    return TRUE;
}

static void write_output(JsonWrite *write, const ProcessOutput *output, const char *data_key,
                         const char *truncated_key)
{
    if (output->data->len > 0) {
        json_write_key(write, data_key);
        json_write_base64(write, output->data->str, output->data->len);
    }
    if (output->data->len > 0 || output->open)
        json_write_member_boolean(write, truncated_key, output->truncated || output->open);
}

static void write_end(JsonWrite *write, const Process *process)
{
    gint64 status = process_status(process);

    json_write_member_int64(write, status >= 0 ? "exitcode" : "signal", ABS(status));
    write_output(write, process_out(process), "out-data", "out-truncated");
    write_output(write, process_err(process), "err-data", "err-truncated");
}

static void write_status(JsonWrite *write, const Process *process)
{
    json_write_begin_object(write);
    json_write_member_boolean(write, "exited", process_has_ended(process));
    if (process_has_ended(process))
        write_end(write, process);
    json_write_end_object(write);
}

static gboolean write_ended(gpointer data, Call *call, GError **error)
{
    write_status(call_result(call), ((const Program *)data)->process);
    return TRUE;
}

/* Its status is told once. Output of 32 MiB takes its time to be written out.
 * Returns: whether that is done; else the call is over later */
static gboolean tell_end(GHashTable *started, Program *program, Call *call)
{
    Process *process = program->process;

    g_hash_table_steal(started, key_of(process_id(process)));
    if (process_out(process)->data->len + process_err(process)->data->len > OUTPUT_SMALL) {
        process_seal(process); /* the main loop goes on reading what others hold */
        call_work(call, write_ended, program, program_free);
        return FALSE;
    }
    write_status(call_result(call), process);
    program_free(program);
    return TRUE;
}

static Program *find(GHashTable *started, gint64 pid, GError **error)
{
    Program *program = g_hash_table_lookup(started, key_of(pid));

    if (program != NULL && process_id(program->process) == pid)
        return program;
    qmp_error_set(error, "PID %" G_GINT64_FORMAT " does not exist", pid);
    return NULL;
}

/* ---- Questions that wait --------------------------------------------------------------------- */

/* Returns: (transfer full): whose question it was */
static Call *question_free(Question *question)
{
    Call *call = question->call;

    g_clear_handle_id(&question->timer, g_source_remove);
    g_queue_remove(&question->programs->held, question);
    g_free(question);
    return call;
}

static gboolean on_hold_end(gpointer user_data)
{
    Question *question = user_data;

    question->timer = 0; /* it goes by itself */
    write_status(call_result(question->call), question->program->process);
    call_finish(question_free(question), NULL);
    return G_SOURCE_REMOVE;
}

static void hold(Programs *programs, const Program *program, Call *call, guint ms)
{
    Question *question = g_new(Question, 1);

    *question = (Question){programs, program, call, 0};
    question->timer = g_timeout_add(ms, on_hold_end, question);
    g_queue_push_tail(&programs->held, question);
    call_defer(call);
}

/* The first gets what there is to tell, as if it had asked now; who has gone does not. */
static void answer(Programs *programs, gint64 pid, Call *call)
{
    g_autoptr(GError) error = NULL;
    Program *program = call_is_wanted(call) ? find(programs->started, pid, &error) : NULL;

    if (program == NULL || tell_end(programs->started, program, call))
        call_finish(call, error);
}

/* All that is about it is taken first: with the first answer the program is gone, and the next
 * request comes. */
static void on_program_end(Process *process, gpointer user)
{
    Programs *programs = user;
    const gint64 pid = process_id(process);
    g_autoptr(GPtrArray) calls = g_ptr_array_new();

    for (GList *link = programs->held.head, *next; link != NULL; link = next) {
        Question *question = link->data;

        next = link->next;
        if (question->program->process == process)
            g_ptr_array_add(calls, question_free(question));
    }
    for (guint i = 0; i < calls->len; i++)
        answer(programs, pid, calls->pdata[i]);
}

void programs_free(Programs *programs)
{
    Question *question;

    if (programs == NULL)
        return;
    while ((question = g_queue_peek_head(&programs->held)) != NULL)
        call_finish(question_free(question), NULL);
    g_hash_table_unref(programs->started);
    g_free(programs);
}

gboolean guest_exec_status(Commands *commands, const GuestExecStatusArguments *args, Call *call,
                           GError **error)
{
    Programs *programs = commands->programs;
    Program *program = find(programs->started, args->pid, error);
    gint64 age;

    if (program == NULL)
        return FALSE;
    if (process_has_ended(program->process)) {
        tell_end(programs->started, program, call);
        return TRUE;
    }
    age = (g_get_monotonic_time() - program->started) / 1000;
    if (age < programs->hold_ms)
        hold(programs, program, call, (guint)(programs->hold_ms - age));
    else
        write_status(call_result(call), program->process);
    return TRUE;
}
