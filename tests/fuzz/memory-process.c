/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "memory-process.h"

#include "agent/process.h"
#include "common/qmp-error.h"

struct Process {
    gint64 id;
    gboolean ended;
    int status;
    gsize limit;
    ProcessOutput out;
    ProcessOutput err;
    void (*on_end)(Process *process, gpointer user);
    gpointer user;
};

static GPtrArray *processes;
static gint64 last_id;

void memory_process_begin(void)
{
    processes = g_ptr_array_new();
    last_id = 0;
}

void memory_process_end(void)
{
    g_assert_cmpuint(processes->len, ==, 0);
    g_clear_pointer(&processes, g_ptr_array_unref);
}

gboolean process_has_ended(const Process *process)
{
    return process->ended;
}

gint64 process_status(const Process *process)
{
    return process->status;
}

void memory_process_end_all(int status)
{
    for (guint i = 0; i < processes->len; i++) {
        Process *process = processes->pdata[i];

        if (process->ended)
            continue;
        process->ended = TRUE;
        process->status = status;
        if (process->on_end != NULL)
            process->on_end(process, process->user);
    }
}

static void say(Process *process, ProcessOutput *output, const char *text, gsize len)
{
    gsize room = process->limit - output->data->len;

    output->truncated |= len > room;
    g_string_append_len(output->data, text, (gssize)MIN(len, room));
}

const ProcessOutput *process_err(const Process *process)
{
    return &process->err;
}

const ProcessOutput *process_out(const Process *process)
{
    return &process->out;
}

void process_init(void)
{
}

/* One that begins with "no" is not to be found. */
Process *process_spawn(const ProcessSpec *spec, GError **error)
{
    Process *process;

    if (g_str_has_prefix(spec->argv[0], "no")) {
        qmp_error_set(error, "Failed to execute child process “%.4096s”", spec->argv[0]);
        return NULL;
    }
    process = g_new0(Process, 1);
    process->id = ++last_id;
    process->limit = spec->capture_limit;
    process->out.data = g_string_new(NULL);
    process->err.data = g_string_new(NULL);
    process->on_end = spec->ended;
    process->user = spec->user;
    for (guint i = 0; spec->argv[i] != NULL && spec->capture != 0; i++)
        say(process, &process->out, spec->argv[i], strlen(spec->argv[i]));
    for (guint i = 0; spec->env != NULL && spec->env[i] != NULL && spec->capture != 0; i++)
        say(process, &process->err, spec->env[i], strlen(spec->env[i]));
    if (spec->input_len > 0 && spec->capture != 0)
        say(process, &process->out, spec->input, spec->input_len);
    g_ptr_array_add(processes, process);
    return process;
}

gint64 process_id(const Process *process)
{
    return process->id;
}

/* Nobody here has a time limit: System.run() is not real either. */
void process_seal(Process *process)
{
}

void process_kill(Process *process)
{
}

void process_free(Process *process)
{
    if (process == NULL)
        return;
    g_ptr_array_remove_fast(processes, process);
    g_string_free(process->out.data, TRUE);
    g_string_free(process->err.data, TRUE);
    g_free(process);
}
