/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * command-line: a program and its arguments as the one line, and the one block, that Windows hands
 * over.
 *
 * Owns the quoting that programs undo which take their line apart like Microsoft's C library. Pure,
 * but for where programs are looked for.
 */

#pragma once

#include <glib.h>

/**
 * command_line_build:
 * @argv: UTF-8
 * @is_batch: the line is for cmd.exe, which understands no quoted " and puts variables in
 *   everywhere: arguments that would come to mean something else are refused
 *
 * Returns: (transfer full): NULL with @error
 */
char *command_line_build(const char *const *argv, gboolean is_batch,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: whether the file is one that cmd.exe runs */
gboolean command_line_is_batch(const char *path);

/**
 * command_line_environment:
 * @env: NAME=VALUE, UTF-8
 *
 * Returns: (transfer full): sorted as Windows wants it, with two zeros at its end; NULL with @error
 */
gunichar2 *command_line_environment(const char *const *env,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * command_line_find:
 * @search: (nullable): directories, as in PATH; NULL for those of the agent
 *
 * Returns: (transfer full) (nullable): the path of program @name, with .exe, .com, .bat or .cmd
 *   behind it where that was left out; a name with a path is not searched for
 */
char *command_line_find(const char *name, const char *search);
