/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. Pipes are named ones, since only those can be read without waiting; each has
 * one instance, which is connected before anybody else could. A child starts stopped, in a job of
 * its own, so that whatever it starts belongs to that. Its handle keeps its id taken. Pipes are
 * read, and the input is written, as long as anybody holds them; they are no part of having ended.
 */

#include "agent/process-private.h"

#include <string.h>

#include "agent/command-line-win32.h"
#include "agent/transfer-win32.h"
#include "agent/win32-error.h"
#include "common/limits.h"
#include "common/qmp-error.h"

enum { PIPE_BYTES = 64 * 1024 };

/* Turns that a dead child's pipe is given to hand over what is in it. Windows needs two, Wine,
 * whose pipes take all that is written, more; a descendant may write for ever. */
enum { DRAIN_TURNS = 64, DRAIN_WAIT_MS = 1000 };

/* Ends by which programs say that the system has ended them: the codes of exceptions. */
enum { EXCEPTION_MASK = 0xF0000000u, EXCEPTION_CODES = 0xC0000000u };

typedef struct {
    HANDLE file; /* ours; NULL: closed */
    Transfer transfer;
    guint source;
    ProcessOutput *output; /* what it has read */
} Reader;

typedef struct {
    HANDLE file; /* ours; NULL: closed */
    Transfer transfer;
    guint source;
    char *data;
    gsize len;
    gsize written;
} Writer;

struct Process {
    ProcessCommon common;
    HANDLE handle;
    HANDLE job; /* NULL: there was none to be had */
    DWORD id;
    guint source; /* of its end */
    DWORD status;
    Reader out;
    Reader err;
    Writer in;
};

/* Programs that ended, and are wanted by nobody, but left others behind that hold their pipes. */
static guint lingering;

/* ---- Pipes ----------------------------------------------------------------------------------- */

static void reader_close(Reader *reader)
{
    g_clear_handle_id(&reader->source, g_source_remove);
    if (reader->file == NULL)
        return;
    transfer_clear(&reader->transfer);
    CloseHandle(reader->file);
    reader->file = NULL;
    process_output_end(reader->output);
}

/* Returns: whether there may be more */
static gboolean reader_turn(Reader *reader)
{
    Transfer *transfer = &reader->transfer;

    if (reader->file == NULL || !transfer_settle(transfer))
        return FALSE;
    if (transfer->error != 0) { /* nobody holds the other end any more */
        reader_close(reader);
        return FALSE;
    }
    process_output_take(reader->output, transfer->buffer + transfer->at, transfer_left(transfer));
    transfer_read(transfer, PIPE_BYTES);
    return TRUE;
}

static void writer_close(Writer *writer)
{
    g_clear_handle_id(&writer->source, g_source_remove);
    if (writer->file != NULL) {
        transfer_clear(&writer->transfer);
        CloseHandle(writer->file);
    }
    writer->file = NULL;
    g_clear_pointer(&writer->data, g_free);
}

static void writer_turn(Writer *writer)
{
    if (!transfer_settle(&writer->transfer))
        return;
    if (writer->transfer.error != 0 || writer->written == writer->len) {
        writer_close(writer); /* a reader that wants no more, or all is written */
        return;
    }
    writer->written += transfer_write(&writer->transfer, writer->data + writer->written,
                                      writer->len - writer->written);
}

/* ---- End ------------------------------------------------------------------------------------- */

static gboolean is_over(const Process *process)
{
    return process->common.freed && process->common.ended && process->out.file == NULL &&
           process->err.file == NULL && process->in.file == NULL;
}

static void close_pipes(Process *process)
{
    reader_close(&process->out);
    reader_close(&process->err);
    writer_close(&process->in);
}

static void destroy(Process *process)
{
    close_pipes(process);
    g_clear_handle_id(&process->source, g_source_remove);
    process_common_clear(&process->common);
    if (process->job != NULL)
        CloseHandle(process->job);
    if (process->handle != NULL)
        CloseHandle(process->handle);
    g_free(process);
}

static void destroy_lingering(Process *process)
{
    lingering--;
    destroy(process);
}

static void read_and_see(Process *process, Reader *reader)
{
    reader_turn(reader);
    if (is_over(process))
        destroy_lingering(process);
}

static gboolean on_out(gpointer user_data)
{
    read_and_see(user_data, &((Process *)user_data)->out);
    return G_SOURCE_CONTINUE; /* a closed reader has removed its source */
}

static gboolean on_err(gpointer user_data)
{
    read_and_see(user_data, &((Process *)user_data)->err);
    return G_SOURCE_CONTINUE;
}

static gboolean on_in(gpointer user_data)
{
    Process *process = user_data;

    writer_turn(&process->in);
    if (is_over(process))
        destroy_lingering(process);
    return G_SOURCE_CONTINUE;
}

/* Whether the read that is under way has got something, or nobody can write any more. (Windows ends
 * it before the writer goes on, Wine a little later.) */
static gboolean is_ending(const Reader *reader)
{
    DWORD waiting = 0;

    return !PeekNamedPipe(reader->file, NULL, 0, NULL, &waiting, NULL) || waiting > 0;
}

static void drain(Reader *reader)
{
    for (guint i = 0; i < DRAIN_TURNS && reader->file != NULL; i++) {
        if (reader->transfer.pending && is_ending(reader))
            WaitForSingleObject(reader->transfer.state.hEvent, DRAIN_WAIT_MS);
        if (!reader_turn(reader))
            break;
    }
}

/* It has ended, and is wanted by nobody. */
static void let_linger(Process *process)
{
    lingering++;
    if (lingering > LIMIT_EXEC_RECORDS)
        close_pipes(process);
    if (is_over(process))
        destroy_lingering(process);
}

static gboolean on_end(gpointer user_data)
{
    Process *process = user_data;

    process->source = 0;
    process->common.ended = TRUE;
    if (!GetExitCodeProcess(process->handle, &process->status))
        process->status = 0;
    drain(&process->out);
    drain(&process->err);
    if (process->common.freed)
        let_linger(process);
    else if (process->common.on_end != NULL)
        process->common.on_end(process, process->common.user);
    return G_SOURCE_REMOVE;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* The ends that the child gets: as its standard input, output, error. */
typedef struct {
    HANDLE handles[3];
} ChildEnds;

static void child_ends_clear(ChildEnds *ends)
{
    for (guint i = 0; i < 3; i++) {
        /* Output and error may be one. */
        if (ends->handles[i] != NULL && (i != 2 || ends->handles[2] != ends->handles[1]))
            CloseHandle(ends->handles[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ChildEnds, child_ends_clear)

static SECURITY_ATTRIBUTES inherited = {sizeof(inherited), NULL, TRUE};

/* @ret_theirs: reads what we write, where @we_write, else the other way round */
static gboolean make_pipe(gboolean we_write, HANDLE *ret_ours, HANDLE *ret_theirs, GError **error)
{
    static guint count;
    g_autofree char *name =
        g_strdup_printf("\\\\.\\pipe\\qga-agent-%lu-%u", GetCurrentProcessId(), count++);
    g_autofree wchar_t *wide = g_utf8_to_utf16(name, -1, NULL, NULL, NULL);
    DWORD direction = we_write ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND;
    HANDLE ours =
        CreateNamedPipeW(wide, direction | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                         PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, PIPE_BYTES,
                         PIPE_BYTES, 0, NULL);
    HANDLE theirs;

    if (ours == INVALID_HANDLE_VALUE)
        return win32_error_set(error, GetLastError(), "failed to create a pipe");
    theirs = CreateFileW(wide, (we_write ? GENERIC_READ : GENERIC_WRITE) | FILE_READ_ATTRIBUTES, 0,
                         &inherited, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (theirs == INVALID_HANDLE_VALUE) {
        win32_error_set(error, GetLastError(), "failed to create a pipe");
        CloseHandle(ours);
        return FALSE;
    }
    *ret_ours = ours;
    *ret_theirs = theirs;
    return TRUE;
}

static gboolean open_ends(Process *process, const ProcessSpec *spec, ChildEnds *ends,
                          GError **error)
{
    gboolean merged = (spec->capture & PROCESS_CAPTURE_MERGED) != 0;

    if (spec->input != NULL && !make_pipe(TRUE, &process->in.file, &ends->handles[0], error))
        return FALSE;
    if ((spec->capture & (PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_MERGED)) != 0 &&
        !make_pipe(FALSE, &process->out.file, &ends->handles[1], error))
        return FALSE;
    if ((spec->capture & PROCESS_CAPTURE_ERR) != 0 &&
        !make_pipe(FALSE, &process->err.file, &ends->handles[2], error))
        return FALSE;
    if (merged)
        ends->handles[2] = ends->handles[1];
    for (guint i = 0; i < 3; i++) {
        if (ends->handles[i] == NULL)
            ends->handles[i] =
                CreateFileW(L"NUL", i == 0 ? GENERIC_READ : GENERIC_WRITE,
                            FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
        if (ends->handles[i] == INVALID_HANDLE_VALUE) {
            ends->handles[i] = NULL;
            return win32_error_set(error, GetLastError(),
                                   "failed to open a program's input or output");
        }
    }
    return TRUE;
}

/* A child's end is told by its handle, to whoever asks, and it inherits only what is named. */
void process_init(void)
{
}

/* A program may be in one job only before Windows 8: where the agent is in one itself, it stays
 * there, as what it starts will. */
static void put_in_job(Process *process)
{
    process->job = CreateJobObjectW(NULL, NULL);
    if (process->job == NULL || AssignProcessToJobObject(process->job, process->handle))
        return;
    CloseHandle(process->job);
    process->job = NULL;
}

/* Only what is named is inherited, whatever else may be at that moment. */
static LPPROC_THREAD_ATTRIBUTE_LIST list_handles(ChildEnds *ends)
{
    guint n = ends->handles[2] == ends->handles[1] ? 2 : 3;
    LPPROC_THREAD_ATTRIBUTE_LIST list;
    SIZE_T size = 0;

    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    list = g_malloc0(size);
    if (InitializeProcThreadAttributeList(list, 1, 0, &size) &&
        UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, ends->handles,
                                  n * sizeof(HANDLE), NULL, NULL))
        return list;
    g_free(list);
    return NULL;
}

/* Returns: an error of Windows */
static DWORD create(Process *process, const wchar_t *program, wchar_t *line, gunichar2 *env,
                    ChildEnds *ends)
{
    const DWORD flags = CREATE_SUSPENDED | CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT |
                        CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT;
    STARTUPINFOEXW startup = {
        .StartupInfo =
            {
                .cb = sizeof(startup),
                .dwFlags = STARTF_USESTDHANDLES,
                .hStdInput = ends->handles[0],
                .hStdOutput = ends->handles[1],
                .hStdError = ends->handles[2],
            },
        .lpAttributeList = list_handles(ends),
    };
    PROCESS_INFORMATION info;
    BOOL ok;
    DWORD code;

    if (startup.lpAttributeList == NULL)
        return GetLastError();
    ok = CreateProcessW(program, line, NULL, NULL, TRUE, flags, env, NULL, &startup.StartupInfo,
                        &info);
    code = ok ? ERROR_SUCCESS : GetLastError();
    DeleteProcThreadAttributeList(startup.lpAttributeList);
    g_free(startup.lpAttributeList);
    if (!ok)
        return code;
    process->handle = info.hProcess;
    process->id = info.dwProcessId;
    put_in_job(process);
    ResumeThread(info.hThread);
    CloseHandle(info.hThread);
    return ERROR_SUCCESS;
}

static gboolean start(Process *process, const ProcessSpec *spec, ChildEnds *ends, GError **error)
{
    const char *search =
        spec->env != NULL ? g_environ_getenv((char **)(gpointer)spec->env, "PATH") : NULL;
    g_autofree char *program = command_line_find(spec->argv[0], search);
    gboolean is_batch = program != NULL && command_line_is_batch(program);
    g_autofree char *line = command_line_build(spec->argv, is_batch, error);
    g_autofree wchar_t *wide_program = NULL;
    g_autofree wchar_t *wide_line = NULL;
    g_autofree gunichar2 *env = NULL;
    DWORD code = ERROR_FILE_NOT_FOUND;

    if (line == NULL)
        return FALSE;
    wide_line = g_utf8_to_utf16(line, -1, NULL, NULL, NULL);
    if (wide_line == NULL) { /* no line at all would start it without arguments */
        qmp_error_set(error, "Invalid string in argument vector");
        return FALSE;
    }
    if (spec->env != NULL) {
        env = command_line_environment(spec->env, error);
        if (env == NULL)
            return FALSE;
    }
    if (program != NULL) {
        wide_program = g_utf8_to_utf16(program, -1, NULL, NULL, NULL);
        code = create(process, wide_program, wide_line, env, ends);
    }
    if (code == ERROR_SUCCESS)
        return TRUE;
    {
        g_autofree char *reason = g_win32_error_message((gint)code);

        qmp_error_set(error, "Failed to execute child process “%.4096s” (%s)", spec->argv[0],
                      reason);
    }
    return FALSE;
}

static void start_reader(Reader *reader, GSourceFunc func, Process *process)
{
    if (reader->file == NULL)
        return;
    reader->output->open = TRUE;
    transfer_init(&reader->transfer, reader->file, PIPE_BYTES);
    reader->source = handle_watch_add(reader->transfer.state.hEvent, func, process);
    transfer_read(&reader->transfer, PIPE_BYTES);
}

static void start_io(Process *process, const ProcessSpec *spec)
{
    Writer *in = &process->in;

    start_reader(&process->out, on_out, process);
    start_reader(&process->err, on_err, process);
    process->source = handle_watch_add(process->handle, on_end, process);
    if (in->file == NULL)
        return;
    in->data = g_memdup2(spec->input, spec->input_len);
    in->len = spec->input_len;
    transfer_init(&in->transfer, in->file, PIPE_BYTES);
    in->source = handle_watch_add(in->transfer.state.hEvent, on_in, process);
    writer_turn(in);
}

Process *process_spawn(const ProcessSpec *spec, GError **error)
{
    g_auto(ChildEnds) ends = {{NULL, NULL, NULL}};
    Process *process = g_new(Process, 1);

    *process = (Process){
        .out.output = &process->common.out,
        .err.output = &process->common.err,
    };
    process_common_init(&process->common, spec);
    if (!open_ends(process, spec, &ends, error) || !start(process, spec, &ends, error)) {
        destroy(process);
        return NULL;
    }
    start_io(process, spec);
    return process;
}

/* All that it has started is in its job. */
void process_kill(Process *process)
{
    enum { KILLED = 137 }; /* what a shell says of a program that SIGKILL has ended */

    if (process->common.ended)
        return;
    if (process->job == NULL || !TerminateJobObject(process->job, KILLED))
        TerminateProcess(process->handle, KILLED);
}

void process_free(Process *process)
{
    if (process == NULL)
        return;
    process->common.freed = TRUE;
    process_output_forget(&process->common.out);
    process_output_forget(&process->common.err);
    if (process->common.ended)
        let_linger(process);
}

gint64 process_id(const Process *process)
{
    return process->id;
}

gint64 process_status(const Process *process)
{
    gint64 status = process->status;

    return (process->status & EXCEPTION_MASK) == EXCEPTION_CODES ? -status : status;
}
