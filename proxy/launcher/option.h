/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * option: the value of one of QEMU's options, as QEMU writes them.
 *
 *   socket,id=mon0,path=/run/a,,b,server=on     keys and values; a comma within a value is doubled
 *   socket,id=mon0,server,nowait                the old short forms of server=on and wait=off
 *   {"driver": "virtserialport", "id": "p0"}    JSON, one object
 *
 * Owns the syntax, and that what was not changed stays byte for byte as it was. Leaves what keys
 * mean to plan.h, and whether QEMU knows them to QEMU.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Option Option;

/**
 * option_parse:
 * @first: (nullable): the key of a value that stands in front without one: "backend", "driver"
 *
 * Returns: (nullable): NULL, with @error set, where @text is JSON in front and no object
 */
Option *option_parse(const char *text, const char *first, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One without keys. */
Option *option_new(void);
void option_free(Option *option);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Option, option_free)

/* Returns: (nullable): the last value of @key, as QEMU takes it; of JSON, plain values only */
const char *option_get(const Option *option, const char *key);

/* Returns: FALSE, with @error set, where it is neither on nor off. @fallback: where it is not there
 */
gboolean option_get_switch(const Option *option, const char *key, gboolean fallback,
                           gboolean *ret_on, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: (nullable): the first key that is none of @known */
const char *option_find_unknown(const Option *option, const char *const *known);

/* Replaces each of @key. A key that is new goes behind the others. */
void option_set(Option *option, const char *key, const char *value);
/* @option becomes what @other is. */
void option_assign(Option *option, const Option *other);
void option_remove(Option *option, const char *key);

/* Calls @func for each key, in order. */
void option_foreach(const Option *option,
                    void (*func)(const char *key, const char *value, gpointer data), gpointer data);

/* Returns: (transfer full): for QEMU's command line */
char *option_to_text(const Option *option);

/* Writes @value with its commas doubled. */
void option_append_escaped(GString *text, const char *value);

#define OPTION_ERROR (option_error_quark())
GQuark option_error_quark(void);

typedef enum { OPTION_ERROR_SYNTAX } OptionError;

G_END_DECLS
