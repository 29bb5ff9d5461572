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

/* A name, by its place from the message's start; or the opening of an object, which keeps what is
 * known of the one around: `offset` where that stands in the stack, the others what was seen. */
typedef struct {
    guint32 offset;
    guint32 len;
    guint32 hash; /* of the name, and of the object that it is in, if that has many */
} JsonKey;

typedef struct {
    JsonKey *stack; /* `few`, until more are needed */
    guint size;
    guint used;
    guint opening; /* of the innermost object, in the stack */
    guint room;    /* up to where `used` may go while that object has few names */
    guint64 seen;  /* the signs of its names, see json_keys_sign() */
    guint32
        *slots; /* hash table of places in the stack, 0 for none; NULL while no object is large */
    guint n_slots; /* a power of two */
    guint n_hashed;
    JsonKey few[LIMIT_JSON_KEYS_LINEAR];
} JsonKeys;

static inline void json_keys_init(JsonKeys *keys)
{
    keys->stack = keys->few;
    keys->size = LIMIT_JSON_KEYS_LINEAR;
    keys->used = 0;
    keys->opening = 0;
    keys->room = 0;
    keys->seen = 0;
    keys->slots = NULL;
    keys->n_slots = 0;
    keys->n_hashed = 0;
}

/* Gives back what a large message needed. */
static inline void json_keys_free(JsonKeys *keys)
{
    if (keys->stack != keys->few)
        g_free(keys->stack);
    if (keys->slots)
        g_free(keys->slots);
}

/* Returns: bytes of memory beside the struct; json_keys_free() gives them back */
static inline gsize json_keys_held(const JsonKeys *keys)
{
    gsize stack = keys->stack != keys->few ? keys->size * sizeof *keys->stack : 0;

    return stack + keys->n_slots * sizeof *keys->slots;
}

/* Forgets all names. */
static inline void json_keys_clear(JsonKeys *keys)
{
    if (keys->used == 0)
        return;
    json_keys_free(keys);
    json_keys_init(keys);
}

/* @keys is a copy of @from, and takes its place. */
void json_keys_moved(JsonKeys *keys, const JsonKeys *from);

/* What most names and objects do not need; for the functions below. */
void json_keys_grow(JsonKeys *keys);
void json_keys_close_large(JsonKeys *keys);
gboolean json_keys_add_slowly(JsonKeys *keys, const char *message, gsize offset, gsize len);

static inline void json_keys_set_opening(JsonKeys *keys, guint opening)
{
    keys->opening = opening;
    keys->room = MIN(keys->size, opening + LIMIT_JSON_KEYS_LINEAR);
}

static inline void json_keys_open(JsonKeys *keys)
{
    JsonKey *opening;

    if (G_UNLIKELY(keys->used == keys->size))
        json_keys_grow(keys);
    opening = &keys->stack[keys->used];
    opening->offset = keys->opening;
    opening->len = (guint32)keys->seen;
    opening->hash = (guint32)(keys->seen >> 32);
    json_keys_set_opening(keys, keys->used++);
    keys->seen = 0;
}

static inline void json_keys_close(JsonKeys *keys)
{
    const JsonKey *opening = &keys->stack[keys->opening];

    if (G_UNLIKELY(keys->used - keys->opening > LIMIT_JSON_KEYS_LINEAR))
        json_keys_close_large(keys);
    keys->used = keys->opening;
    keys->seen = opening->len | (guint64)opening->hash << 32;
    json_keys_set_opening(keys, opening->offset);
}

/* Returns: one of 64 numbers that few names of one object share: only those are compared. A peer
 * may choose names that do, but no more than LIMIT_JSON_KEYS_LINEAR of them are compared. */
static inline guint json_keys_sign(const char *name, gsize len)
{
    const guint8 *bytes = (const guint8 *)name;

    return (4u * bytes[0] + 5u * (bytes[(gssize)len - 1] + (guint)len)) & 63;
}

/**
 * json_keys_add:
 * @message: where the message starts; earlier names are still there
 * @offset: of the name's first byte behind its quote
 *
 * Returns: FALSE where the innermost object has this name already
 */
gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len);

/* The same for one in double quotes that is known to have no escape. */
static inline gboolean json_keys_add_plain(JsonKeys *keys, const char *message, gsize offset,
                                           gsize len)
{
    guint sign = json_keys_sign(message + offset, len);
    JsonKey *key;

    if (G_UNLIKELY(keys->seen >> sign & 1) || G_UNLIKELY(keys->used >= keys->room))
        return json_keys_add_slowly(keys, message, offset, len);
    keys->seen |= (guint64)1 << sign;
    key = &keys->stack[keys->used++];
    key->offset = (guint32)offset;
    key->len = (guint32)len;
    return TRUE;
}

G_END_DECLS
