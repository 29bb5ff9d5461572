/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation. Names stand on one stack; each object's lie above an entry that marks its
 * opening, and go when it closes. An object that gets many is entered into the hash table, with all
 * its names, from then on. Names leave the table in the opposite order of their coming, so with
 * linear probing an emptied slot never cuts the path to a name that stays: no tombstones are
 * needed.
 */

#include "json-keys.h"

#include "json-text.h"

#include <string.h>

void json_keys_init(JsonKeys *keys)
{
    *keys = (JsonKeys){.size = G_N_ELEMENTS(keys->few)};
    keys->stack = keys->few;
}

void json_keys_clear(JsonKeys *keys)
{
    if (keys->stack != keys->few)
        g_free(keys->stack);
    g_free(keys->slots);
    json_keys_init(keys);
}

static void push(JsonKeys *keys, guint32 offset, guint32 len)
{
    if (keys->used == keys->size) {
        JsonKey *old = keys->stack == keys->few ? NULL : keys->stack;

        keys->size *= 2;
        keys->stack = g_renew(JsonKey, old, keys->size);
        if (!old)
            memcpy(keys->stack, keys->few, sizeof keys->few);
    }
    keys->stack[keys->used++] = (JsonKey){offset, len};
}

static JsonSpan text_at(const JsonKeys *keys, const char *message, guint place)
{
    return (JsonSpan){message + keys->stack[place].offset, keys->stack[place].len};
}

/* FNV-1a's shape with a secret start and a secret factor, folded to its upper half: those bits
 * depend on every byte and both secrets. Chosen for the few lines it takes; it guards a table, not
 * a secret. */
static guint32 hash_text(JsonSpan text, guint opening)
{
    static gsize ready;
    static guint64 start, factor;
    const char *at = text.text, *end = text.text + text.len;
    char bytes[4];
    guint64 hash;
    guint n;

    if (g_once_init_enter(&ready)) {
        start = (guint64)g_random_int() << 32 | g_random_int();
        factor = (guint64)g_random_int() << 32 | g_random_int() | 1;
        g_once_init_leave(&ready, 1);
    }

    hash = start ^ opening;
    while ((n = json_text_next(&at, end, bytes)) > 0)
        for (guint i = 0; i < n; i++) {
            hash = (hash ^ (guint8)bytes[i]) * factor;
            hash ^= hash >> 29;
        }
    return (guint32)(hash >> 32);
}

/* Returns: the slot of an equal name of the same object, or the free one where it would stand. The
 * slot says only a place in the stack; names of other objects on the way are told apart by where
 * they stand. */
static guint find_slot(const JsonKeys *keys, const char *message, JsonSpan text)
{
    guint slot = hash_text(text, keys->opening) & (keys->n_slots - 1);

    while (keys->slots[slot] != 0) {
        guint place = keys->slots[slot];

        if (place > keys->opening && json_text_equal(text_at(keys, message, place), text))
            break;
        slot = (slot + 1) & (keys->n_slots - 1);
    }
    return slot;
}

static gboolean is_hashed(const JsonKeys *keys)
{
    return keys->used - keys->opening - 1 >= LIMIT_JSON_KEYS_LINEAR;
}

/* Which openings lie below a place; entered objects are those with enough names in the stack right
 * now. */
static void rehash(JsonKeys *keys, const char *message, guint n_slots)
{
    guint innermost = keys->opening;
    g_autofree guint32 *old = g_steal_pointer(&keys->slots);
    guint n_old = keys->n_slots;
    g_autofree guint8 *entered = g_new0(guint8, keys->used);

    for (guint i = 0; i < n_old; i++)
        entered[old[i]] = old[i] != 0;

    keys->slots = g_new0(guint32, n_slots);
    keys->n_slots = n_slots;
    for (guint place = 0; place < keys->used; place++) {
        if (keys->stack[place].len == JSON_KEY_OPENING)
            keys->opening = place;
        else if (entered[place])
            keys->slots[find_slot(keys, message, text_at(keys, message, place))] = place;
    }
    keys->opening = innermost;
}

static void enter(JsonKeys *keys, const char *message, guint place)
{
    if ((keys->n_hashed + 1) * 2 > keys->n_slots)
        rehash(keys, message, MAX(keys->n_slots * 2, 64));
    keys->slots[find_slot(keys, message, text_at(keys, message, place))] = place;
    keys->n_hashed++;
}

void json_keys_open(JsonKeys *keys)
{
    guint around = keys->opening;

    keys->opening = keys->used;
    push(keys, around, JSON_KEY_OPENING);
}

/* By searching for each name: a sweep over the table would let one large object make the closing of
 * each small one slow. */
static void leave(JsonKeys *keys, const char *message, guint place)
{
    guint slot = hash_text(text_at(keys, message, place), keys->opening) & (keys->n_slots - 1);

    while (keys->slots[slot] != place)
        slot = (slot + 1) & (keys->n_slots - 1);
    keys->slots[slot] = 0;
    keys->n_hashed--;
}

void json_keys_close(JsonKeys *keys, const char *message)
{
    guint around = keys->stack[keys->opening].offset;

    if (is_hashed(keys))
        for (guint place = keys->used - 1; place > keys->opening; place--)
            leave(keys, message, place);
    keys->used = keys->opening;
    keys->opening = around;
}

static gboolean found_linear(const JsonKeys *keys, const char *message, JsonSpan text)
{
    for (guint place = keys->opening + 1; place < keys->used; place++)
        if (json_text_equal(text_at(keys, message, place), text))
            return TRUE;
    return FALSE;
}

gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    JsonSpan text = {message + offset, len};

    if (!is_hashed(keys)) {
        if (found_linear(keys, message, text))
            return FALSE;
        push(keys, (guint32)offset, (guint32)len);
        if (is_hashed(keys))
            for (guint place = keys->opening + 1; place < keys->used; place++)
                enter(keys, message, place);
        return TRUE;
    }

    if (keys->slots[find_slot(keys, message, text)] != 0)
        return FALSE;
    push(keys, (guint32)offset, (guint32)len);
    enter(keys, message, keys->used - 1);
    return TRUE;
}
