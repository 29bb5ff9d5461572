/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * log: two sinks. What goes wrong is written to the log file or standard error; which commands
 * changed something, to the system's log.
 *
 * Never logged: arguments, file data, what a program prints. They hold passwords.
 */

#pragma once

#include <glib.h>

/**
 * log_init:
 * @verbose: also what is ordinary
 *
 * To be called once. What comes goes to standard error, until there is a file.
 */
void log_init(gboolean verbose);

/* Whether what is ordinary is written, as before log_init(). */
gboolean log_is_verbose(void);

/* g_debug() for what comes often: that prints the text before it asks whether anybody wants it,
 * which is a tenth of what a small command takes. */
#define log_debug(...)            \
    G_STMT_START                  \
    {                             \
        if (log_is_verbose())     \
            g_debug(__VA_ARGS__); \
    }                             \
    G_STMT_END

/* Appends to @path from now on. */
gboolean log_open(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* While frozen nothing may be written: it would wait for the thaw. What comes meanwhile is dropped.
 */
void log_set_frozen(gboolean frozen);

/* One line for the system's log. */
void log_account(const char *command);
