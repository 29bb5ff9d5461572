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

enum { PIECE = 16 }; /* of a name, taken at once */

/* ---- The hash -------------------------------------------------------------------------------- */

/* The bytes of a name, at most sixteen. Those in the middle may stand in both. */
typedef struct {
    guint64 first, last;
} Piece;

/* No peer can choose names that meet: of two different pieces the products are the same for one
 * in 2^32 of the numbers that are added (this is NH, on which UMAC is built), and what was made of
 * the pieces before is multiplied with a secret. The secrets are not g_random_int()'s, of which
 * peers get to see enough to guess more. */
static struct {
    guint64 start, factor;
    guint32 add[4];
} secret;

void json_keys_make_secret(void)
{
    static gsize ready;
    g_autoptr(GRand) random = NULL;

    if (!g_once_init_enter(&ready))
        return;
    random = g_rand_new();
    secret.start = (guint64)g_rand_int(random) << 32 | g_rand_int(random);
    secret.factor = (guint64)g_rand_int(random) << 32 | g_rand_int(random) | 1;
    for (guint i = 0; i < G_N_ELEMENTS(secret.add); i++)
        secret.add[i] = g_rand_int(random);
    g_once_init_leave(&ready, 1);
}

static inline Piece piece_of(const char *bytes, gsize len)
{
    guint64 first = 0, last = 0;
    guint32 half;

    if (len >= sizeof first) {
        memcpy(&first, bytes, sizeof first);
        memcpy(&last, bytes + len - sizeof last, sizeof last);
    } else if (len >= sizeof half) {
        memcpy(&half, bytes, sizeof half);
        first = half;
        memcpy(&half, bytes + len - sizeof half, sizeof half);
        last = half;
    } else if (len > 0) {
        first = (guint8)bytes[0] | (guint64)(guint8)bytes[len / 2] << 8;
        last = (guint8)bytes[len - 1];
    }
    return (Piece){first, last};
}

static inline guint64 mix(guint64 hash, const char *bytes, gsize len)
{
    Piece piece = piece_of(bytes, len);
    guint64 a = (guint32)((guint32)piece.first + secret.add[0]);
    guint64 b = (guint32)((guint32)(piece.first >> 32) + secret.add[1]);
    guint64 c = (guint32)((guint32)piece.last + secret.add[2]);
    guint64 d = (guint32)((guint32)(piece.last >> 32) + secret.add[3]);

    return (hash + len) * secret.factor + a * b + c * d;
}

static inline guint64 begin(guint opening)
{
    return secret.start ^ (guint64)opening << 32;
}

/* The upper half: each of its bits depends on all of @hash. */
static inline guint32 fold(guint64 hash)
{
    return (guint32)(hash * secret.factor >> 32);
}

static guint32 hash_plain(JsonSpan text, guint opening)
{
    guint64 hash = begin(opening);

    for (; text.len > PIECE; text = (JsonSpan){text.text + PIECE, text.len - PIECE})
        hash = mix(hash, text.text, PIECE);
    return fold(mix(hash, text.text, text.len));
}

/* As of the same text without escapes. */
static guint32 hash_escaped(JsonSpan text, guint opening)
{
    guint64 hash = begin(opening);
    const char *at = text.text, *end = text.text + text.len;
    char bytes[PIECE + 4];
    gsize held = 0;
    guint n;

    while ((n = json_text_next(&at, end, bytes + held)) > 0) {
        held += n;
        if (held > PIECE) {
            hash = mix(hash, bytes, PIECE);
            held -= PIECE;
            memmove(bytes, bytes + PIECE, held);
        }
    }
    return fold(mix(hash, bytes, held));
}

/* ---- The stack ------------------------------------------------------------------------------- */

void json_keys_moved(JsonKeys *keys, const JsonKeys *from)
{
    if (keys->stack == from->few)
        keys->stack = keys->few;
}

static void grow_stack(JsonKeys *keys)
{
    JsonKey *old = keys->stack == keys->few ? NULL : keys->stack;

    keys->size *= 2;
    keys->stack = g_renew(JsonKey, old, keys->size);
    if (!old)
        memcpy(keys->stack, keys->few, sizeof keys->few);
}

static inline void push(JsonKeys *keys, JsonKey key)
{
    if (G_UNLIKELY(keys->used == keys->size))
        grow_stack(keys);
    keys->stack[keys->used++] = key;
}

static gboolean says(const char *message, const JsonKey *a, const JsonKey *b)
{
    return json_text_equal((JsonSpan){message + a->offset, a->len},
                           (JsonSpan){message + b->offset, b->len});
}

/* ---- The table ------------------------------------------------------------------------------- */

static inline gboolean is_hashed(const JsonKeys *keys)
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

    for (; keys->slots[slot] != 0; slot = slot_after(keys, slot)) {
        const JsonKey *other = &keys->stack[keys->slots[slot]];

        if (keys->slots[slot] > keys->opening && other->hash == key->hash &&
            says(message, other, key))
            return TRUE;
    }
    return FALSE;
}

static inline gboolean found_linear(const JsonKeys *keys, const char *message, const JsonKey *key)
{
    const JsonKey *end = keys->stack + keys->used;

    for (const JsonKey *other = keys->stack + keys->opening + 1; other < end; other++)
        if (G_UNLIKELY(other->hash == key->hash) && says(message, other, key))
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

static gboolean add_hashed(JsonKeys *keys, const char *message, const JsonKey *key)
{
    if (found_hashed(keys, message, key))
        return FALSE;
    push(keys, *key);
    enter(keys, keys->used - 1);
    return TRUE;
}

static void enter_all(JsonKeys *keys)
{
    for (guint place = keys->opening + 1; place < keys->used; place++)
        enter(keys, place);
}

static gboolean add(JsonKeys *keys, const char *message, const JsonKey *key)
{
    if (is_hashed(keys))
        return add_hashed(keys, message, key);
    if (found_linear(keys, message, key))
        return FALSE;
    push(keys, *key);
    if (is_hashed(keys))
        enter_all(keys);
    return TRUE;
}

static gboolean add_plain(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    JsonKey key = {(guint32)offset, (guint32)len,
                   hash_plain((JsonSpan){message + offset, len}, keys->opening)};

    return add(keys, message, &key);
}

/* For most names nothing of that is needed: neither the table nor more room, and no other has the
 * same hash. */
gboolean json_keys_add_plain(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    const JsonKey *others = keys->stack + keys->opening + 1;
    JsonKey *key = keys->stack + keys->used;
    guint32 hash;

    if (len > PIECE || key - others >= LIMIT_JSON_KEYS_LINEAR - 1 || keys->used == keys->size)
        return add_plain(keys, message, offset, len);
    hash = fold(mix(begin(keys->opening), message + offset, len));
    for (; others < key; others++)
        if (others->hash == hash)
            return add_plain(keys, message, offset, len);
    *key = (JsonKey){(guint32)offset, (guint32)len, hash};
    keys->used++;
    return TRUE;
}

gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    JsonSpan text = {message + offset, len};
    JsonKey key = {(guint32)offset, (guint32)len, 0};

    if (json_text_is_plain(text))
        return add_plain(keys, message, offset, len);
    key.hash = hash_escaped(text, keys->opening);
    return add(keys, message, &key);
}
