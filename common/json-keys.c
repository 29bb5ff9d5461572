/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation. Names stand on one stack; each object's lie above an entry that marks its
 * opening, and go when it closes. While they are few, each has a sign, one of 64, and of the signs
 * that were seen there is one word: a name whose sign is new is new, and nothing else needs to be
 * known of it. That is nearly all. Another is compared with those that are there. An object that
 * gets many is entered into the hash table, with all its names, from then on. Names leave the table
 * in the opposite order of their coming, so with linear probing an emptied slot never cuts the path
 * to a name that stays: no tombstones are needed.
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

/* With the first object that needs it: to ask for randomness and to prepare GLib's generator for
 * 40 bytes takes 40,000 instructions, and most peers that come and go never send one. */
static void make_secret(void)
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

void json_keys_grow(JsonKeys *keys)
{
    JsonKey *old = keys->stack == keys->few ? NULL : keys->stack;

    keys->size *= 2;
    keys->stack = g_renew(JsonKey, old, keys->size);
    if (!old)
        memcpy(keys->stack, keys->few, sizeof keys->few);
}

static void push(JsonKeys *keys, JsonKey key)
{
    if (keys->used == keys->size)
        json_keys_grow(keys);
    keys->stack[keys->used++] = key;
}

static JsonSpan text_of(const char *message, const JsonKey *key)
{
    return (JsonSpan){message + key->offset, key->len};
}

static gboolean says(const char *message, const JsonKey *a, const JsonKey *b)
{
    return json_text_equal(text_of(message, a), text_of(message, b));
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

static gboolean add_to_many(JsonKeys *keys, const char *message, JsonKey key, gboolean plain)
{
    JsonSpan text = text_of(message, &key);

    key.hash = plain ? hash_plain(text, keys->opening) : hash_escaped(text, keys->opening);
    if (found_hashed(keys, message, &key))
        return FALSE;
    push(keys, key);
    enter(keys, keys->used - 1);
    return TRUE;
}

/* ---- Few names ------------------------------------------------------------------------------- */

/* What is seen where a name is not plain: nobody looks for the sign of what it reads. */
static const guint64 all_signs = ~(guint64)0;

/* Of two names, in short: most that are asked for differ in length or in the last byte. */
static gboolean are_same(const char *a, const char *b, gsize len)
{
    return len == 0 || (a[len - 1] == b[len - 1] && memcmp(a, b, len) == 0);
}

static gboolean found_linear(const JsonKeys *keys, const char *message, const JsonKey *key)
{
    const JsonKey *end = keys->stack + keys->used;
    gboolean plain = keys->seen != all_signs;

    for (const JsonKey *other = keys->stack + keys->opening + 1; other < end; other++)
        if (plain ? other->len == key->len &&
                        are_same(message + other->offset, message + key->offset, key->len)
                  : says(message, other, key))
            return TRUE;
    return FALSE;
}

static void enter_all(JsonKeys *keys, const char *message)
{
    gboolean plain = keys->seen != all_signs;

    make_secret();
    for (guint place = keys->opening + 1; place < keys->used; place++) {
        JsonKey *key = &keys->stack[place];
        JsonSpan text = text_of(message, key);

        key->hash = plain || json_text_is_plain(text) ? hash_plain(text, keys->opening)
                                                      : hash_escaped(text, keys->opening);
        enter(keys, place);
    }
}

static gboolean add(JsonKeys *keys, const char *message, JsonKey key, gboolean plain)
{
    if (is_hashed(keys))
        return add_to_many(keys, message, key, plain);
    keys->seen |= plain ? (guint64)1 << json_keys_sign(message + key.offset, key.len) : all_signs;
    if (found_linear(keys, message, &key))
        return FALSE;
    push(keys, key);
    json_keys_set_opening(keys, keys->opening);
    if (is_hashed(keys))
        enter_all(keys, message);
    return TRUE;
}

/* ---- Public ---------------------------------------------------------------------------------- */

void json_keys_close_large(JsonKeys *keys)
{
    for (guint place = keys->used - 1; place > keys->opening; place--)
        leave(keys, place);
}

gboolean json_keys_add_slowly(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    return add(keys, message, (JsonKey){(guint32)offset, (guint32)len, 0}, TRUE);
}

/* An empty one has no byte for its sign but the quotes, of which there are two kinds. */
gboolean json_keys_add(JsonKeys *keys, const char *message, gsize offset, gsize len)
{
    if (len > 0 && json_text_is_plain((JsonSpan){message + offset, len}))
        return json_keys_add_plain(keys, message, offset, len);
    return add(keys, message, (JsonKey){(guint32)offset, (guint32)len, 0}, FALSE);
}
