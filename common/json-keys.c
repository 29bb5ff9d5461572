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

static void push(JsonKeys *keys, JsonKey key)
{
    if (keys->used == keys->size) {
        JsonKey *old = keys->stack == keys->few ? NULL : keys->stack;

        keys->size *= 2;
        keys->stack = g_renew(JsonKey, old, keys->size);
        if (!old)
            memcpy(keys->stack, keys->few, sizeof keys->few);
    }
    keys->stack[keys->used++] = key;
}

/* FNV-1a's shape with a secret start and a secret factor, folded to its upper half: those bits
 * depend on every byte and both secrets. Chosen for the few lines it takes; it guards a table, not
 * a secret. The secrets are not g_random_int()'s, of which peers get to see enough to guess more.
 */
static guint64 mix(guint64 hash, guint64 factor, const char *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        hash = (hash ^ (guint8)bytes[i]) * factor;
        hash ^= hash >> 29;
    }
    return hash;
}

static guint32 hash_text(JsonSpan text, guint opening)
{
    static gsize ready;
    static guint64 start, factor;
    const char *at = text.text, *end = text.text + text.len;
    char bytes[4];
    guint64 hash;
    guint n;

    if (g_once_init_enter(&ready)) {
        g_autoptr(GRand) random = g_rand_new();

        start = (guint64)g_rand_int(random) << 32 | g_rand_int(random);
        factor = (guint64)g_rand_int(random) << 32 | g_rand_int(random) | 1;
        g_once_init_leave(&ready, 1);
    }

    hash = start ^ opening;
    if (json_text_is_plain(text))
        hash = mix(hash, factor, text.text, text.len);
    else
        while ((n = json_text_next(&at, end, bytes)) > 0)
            hash = mix(hash, factor, bytes, n);
    return (guint32)(hash >> 32);
}

static gboolean says(const JsonKeys *keys, const char *message, guint place, const JsonKey *key)
{
    const JsonKey *other = &keys->stack[place];

    return other->hash == key->hash &&
           json_text_equal((JsonSpan){message + other->offset, other->len},
                           (JsonSpan){message + key->offset, key->len});
}

/* ---- The table ------------------------------------------------------------------------------- */

static gboolean is_hashed(const JsonKeys *keys)
{
    return keys->used - keys->opening - 1 >= LIMIT_JSON_KEYS_LINEAR;
}

static guint slot_after(const JsonKeys *keys, guint slot)
{
    return (slot + 1) & (keys->n_slots - 1);
}

static guint first_slot(const JsonKeys *keys, guint32 hash)
{
    return hash & (keys->n_slots - 1);
}

static void put(JsonKeys *keys, guint place)
{
    guint slot = first_slot(keys, keys->stack[place].hash);

    while (keys->slots[slot] != 0)
        slot = slot_after(keys, slot);
    keys->slots[slot] = place;
}

/* In the order of coming, which is that of places, so that the opposite order of going holds. */
static void grow(JsonKeys *keys)
{
    g_autofree guint32 *old = g_steal_pointer(&keys->slots);
    g_autofree guint8 *entered = g_new0(guint8, keys->used);

    for (guint i = 0; i < keys->n_slots; i++)
        entered[old[i]] = old[i] != 0;
    keys->n_slots = MAX(keys->n_slots * 2, 4 * LIMIT_JSON_KEYS_LINEAR);
    keys->slots = g_new0(guint32, keys->n_slots);
    for (guint place = 1; place < keys->used; place++)
        if (entered[place])
            put(keys, place);
}

static void enter(JsonKeys *keys, guint place)
{
    if ((keys->n_hashed + 1) * 2 > keys->n_slots)
        grow(keys);
    put(keys, place);
    keys->n_hashed++;
}

static void leave(JsonKeys *keys, guint place)
{
    guint slot = first_slot(keys, keys->stack[place].hash);

    while (keys->slots[slot] != place)
        slot = slot_after(keys, slot);
    keys->slots[slot] = 0;
    keys->n_hashed--;
}

/* Places below the opening are of other objects that are entered too. */
static gboolean found_hashed(const JsonKeys *keys, const char *message, const JsonKey *key)
{
    guint slot = first_slot(keys, key->hash);

    for (; keys->slots[slot] != 0; slot = slot_after(keys, slot))
        if (keys->slots[slot] > keys->opening && says(keys, message, keys->slots[slot], key))
            return TRUE;
    return FALSE;
}

static gboolean found_linear(const JsonKeys *keys, const char *message, const JsonKey *key)
{
    for (guint place = keys->opening + 1; place < keys->used; place++)
        if (says(keys, message, place, key))
            return TRUE;
    return FALSE;
}

/* ---- Public ---------------------------------------------------------------------------------- */

void json_keys_open(JsonKeys *keys)
{
    guint around = keys->opening;

    keys->opening = keys->used;
    push(keys, (JsonKey){.offset = around});
}

void json_keys_close(JsonKeys *keys)
{
    guint around = keys->stack[keys->opening].offset;

    if (is_hashed(keys))
        for (guint place = keys->used - 1; place > keys->opening; place--)
            leave(keys, place);
    keys->used = keys->opening;
    keys->opening = around;
}

gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    JsonSpan text = {message + offset, len};
    JsonKey key = {(guint32)offset, (guint32)len, hash_text(text, keys->opening)};
    gboolean hashed = is_hashed(keys);

    if (hashed ? found_hashed(keys, message, &key) : found_linear(keys, message, &key))
        return FALSE;
    push(keys, key);
    if (hashed)
        enter(keys, keys->used - 1);
    else if (is_hashed(keys))
        for (guint place = keys->opening + 1; place < keys->used; place++)
            enter(keys, place);
    return TRUE;
}
