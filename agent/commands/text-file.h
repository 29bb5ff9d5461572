/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * text-file: what the kernel and the administrator tell in files: /proc, /etc, /run.
 *
 * Owns reading them whole, bounded, and without waiting for anybody, and taking them apart into
 * lines and words. Leaves what the words mean to the commands.
 */

#pragma once

#include "agent/system.h"

/**
 * text_file_read:
 * @path: below the system's root
 * @ret_len: (nullable): bytes, without the NUL that stands behind them
 *
 * Only regular files are read: a FIFO would make the agent wait.
 *
 * Returns: (transfer full): what it holds, or NULL with @error
 */
char *text_file_read(const System *system, const char *path, gsize *ret_len, GError **error);

/**
 * text_next_line:
 * @at: moved behind the line, whose end becomes a NUL
 *
 * Returns: (transfer none) (nullable): the line; NULL at the end of the text
 */
char *text_next_line(char **at);

/**
 * text_split:
 * @line: cut into its words in place
 * @ret_words: (array length=max)
 *
 * Returns: how many words were set; more than @max are left out
 */
guint text_split(char *line, char **ret_words, guint max);

/* Whether @word is one number and nothing else; with base 16, without 0x. */
gboolean text_read_number(const char *word, guint base, guint64 *ret_value);
