/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * arguments: QEMU's command line, cut into options and their values.
 *
 * Owns which options of QEMU stand alone, without which a value could be taken for an option.
 * Leaves what values mean to option.h.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    char *name;  /* (nullable): without its dashes: "chardev"; NULL for what is no option */
    char *word;  /* as it was written: "-chardev", "--chardev", or what is no option */
    char *value; /* (nullable): NULL where the option stands alone, or the line ends behind it */
    char *mon;   /* (nullable): the value of a -mon to be put behind it */
} Argument;

/* Returns: (transfer full) (element-type Argument): of @argv, the program's name not among them */
GPtrArray *arguments_parse(const char *const *argv);

/* Returns: (nullable): the value of the last of these options; "" of one that stands alone */
const char *arguments_find(const GPtrArray *arguments, const char *name);

void argument_set_value(Argument *argument, const char *value);

/* @word: with its dash */
void argument_replace(Argument *argument, const char *word, const char *value);

/* @program: (transfer none). Returns: (transfer full): for execve(2) */
char **arguments_to_argv(const GPtrArray *arguments, const char *program);

G_END_DECLS
