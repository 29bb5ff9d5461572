/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * saved: values by name, as one process leaves them to the next.
 *
 * Owns the few kinds of value that are left, with what is not there read as nothing: a successor
 * may be older or newer than who left it. Leaves what is saved to each noun, in a pair of functions
 * X_save() and X_restore(), and descriptors to proxy/handover.h.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Reads and writes alike; G_VARIANT_DICT_INIT(NULL) to write into. */
typedef GVariantDict Saved;

/* 0 is what is not there. */
void saved_put_int(Saved *saved, const char *name, gint64 value);
gint64 saved_get_int(Saved *saved, const char *name);

/* @text: (nullable): then nothing is put */
void saved_put_text(Saved *saved, const char *name, const char *text);

/* Returns: (transfer full) (nullable) */
char *saved_get_text(Saved *saved, const char *name);

/* @bytes: copied; NULL puts nothing */
void saved_put_bytes(Saved *saved, const char *name, gconstpointer bytes, gsize len);

/* Returns: (transfer full) (nullable) */
GBytes *saved_get_bytes(Saved *saved, const char *name);

/* @part: emptied */
void saved_put_part(Saved *saved, const char *name, Saved *part);

/* Returns: whether it is there; @part is to be cleared by g_variant_dict_clear() in any case */
gboolean saved_get_part(Saved *saved, const char *name, Saved *part);

/* Many of a kind, in order. */
typedef GPtrArray SavedList;

SavedList *saved_list_new(void);

/* @item: emptied */
void saved_list_add(SavedList *list, Saved *item);

/* @list: (transfer full) */
void saved_put_list(Saved *saved, const char *name, SavedList *list);

/**
 * saved_foreach:
 *
 * Calls @func for each of the list, in order.
 */
void saved_foreach(Saved *saved, const char *name, void (*func)(Saved *item, gpointer data),
                   gpointer data);

/**
 * saved_find:
 * @ret: the first of the list whose @key is @text; to be cleared by g_variant_dict_clear() in any
 *   case
 */
gboolean saved_find(Saved *saved, const char *name, const char *key, const char *text, Saved *ret);

G_END_DECLS
