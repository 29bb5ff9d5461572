/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-keys: the member names of all objects that are open, to find one that is there twice.
 *
 * Part of json-scan and used by nothing else. Names are kept as places in the message, not copied:
 * 12 bytes each, and 8 more in objects of over LIMIT_JSON_KEYS_LINEAR members. So that an object of
 * half a million names costs no more than linear time, those are found by a hash that a peer cannot
 * steer.
 */

#pragma once

#include "limits.h"

#include <glib.h>

G_BEGIN_DECLS

/* A name, by its place from the message's start; or the opening of an object, whose offset is where
 * the one around it stands in the stack. */
typedef struct {
    guint32 offset;
    guint32 len;
    guint32 hash; /* of the name, and of the object that it is in */
} JsonKey;

typedef struct {
    JsonKey *stack; /* `few`, until more are needed */
    guint size;
    guint used;
    guint opening; /* of the innermost object, in the stack */
    guint32
        *slots; /* hash table of places in the stack, 0 for none; NULL while no object is large */
    guint n_slots; /* a power of two */
    guint n_hashed;
    JsonKey few[LIMIT_JSON_KEYS_LINEAR];
} JsonKeys;

/* Once, before the first of all. */
void json_keys_make_secret(void);

static inline void json_keys_init(JsonKeys *keys)
{
    keys->stack = keys->few;
    keys->size = LIMIT_JSON_KEYS_LINEAR;
    keys->used = 0;
    keys->opening = 0;
    keys->slots = NULL;
    keys->n_slots = 0;
    keys->n_hashed = 0;
}

/* Forgets all names, and gives back what a large message needed. */
static inline void json_keys_clear(JsonKeys *keys)
{
    if (keys->stack != keys->few)
        g_free(keys->stack);
    if (keys->slots)
        g_free(keys->slots);
    json_keys_init(keys);
}

/* @keys is a copy of @from, and takes its place. */
void json_keys_moved(JsonKeys *keys, const JsonKeys *from);

void json_keys_open(JsonKeys *keys);
void json_keys_close(JsonKeys *keys);

/**
 * json_keys_add:
 * @message: where the message starts; earlier names are still there
 * @offset: of the name's first byte behind its quote
 *
 * Returns: FALSE where the innermost object has this name already
 */
gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len);

/* The same for one that is known to have no escape. */
gboolean json_keys_add_plain(JsonKeys *keys, const char *message, gsize offset, gsize len);

G_END_DECLS
