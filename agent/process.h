/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * process: a program that was started, what it is fed, what it says, and how it ends.
 *
 * Owns the child: its id stays taken (by a zombie, if need be) until process_free(), so that an id
 * never means two programs. Ended means that the program itself has: others that it left behind may
 * hold its input and output open, are fed and read from, and forgotten, but nobody waits for them.
 */

#pragma once

#include <glib.h>

typedef struct Process Process;

typedef struct {
    GString *data; /* what was captured */
    gsize limit;   /* of that; more is read and thrown away */
    gboolean truncated;
    gboolean open;   /* who holds it may say more: the program or, once that has ended, another that
                        it left behind */
    gboolean sealed; /* by process_seal() */
} ProcessOutput;

typedef enum {
    PROCESS_CAPTURE_OUT = 1 << 0,
    PROCESS_CAPTURE_ERR = 1 << 1,
    PROCESS_CAPTURE_MERGED = 1 << 2, /* both, as output */
} ProcessCapture;

typedef struct {
    const char *const *argv;
    const char *const *env; /* (nullable): the whole environment; NULL is the agent's own */
    ProcessCapture capture; /* what is not captured goes nowhere */
    gsize capture_limit;    /* of each output; more is read and thrown away */
    const void *input;      /* copied; standard input is empty without */
    gsize input_len;
    gboolean new_session; /* free of the agent's terminal and process group */
    void (*ended)(Process *process, gpointer user); /* (nullable) */
    gpointer user;
} ProcessSpec;

/* Before the first thread is started: one that does not know that children's ends are watched for
 * would swallow the news of them. */
void process_init(void);

/**
 * process_spawn:
 *
 * Searches along PATH, that of @spec->env if it has one. Needs the default main context to be
 * run.
 *
 * Returns: (transfer full): the child; or NULL with @error, a GenericError
 */
Process *process_spawn(const ProcessSpec *spec, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The child and all in its process group, if it leads one (new_session). Its end is still to come.
 */
void process_kill(Process *process);

/* Waits for nothing: a child that still runs goes on, and is reaped when it ends. */
void process_free(Process *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Process, process_free)

/* Its outputs stay as they are from here on, so that any thread may read them. What those say that
 * the program has left behind is read and thrown away. */
void process_seal(Process *process);

gint64 process_id(const Process *process);
gboolean process_has_ended(const Process *process);

/* Once it has ended: its exit status or, negative, the signal that killed it: on Windows the number
 * of the exception. */
gint64 process_status(const Process *process);

/* Complete, once it has ended, as far as it is its own. */
const ProcessOutput *process_out(const Process *process);
const ProcessOutput *process_err(const Process *process);
