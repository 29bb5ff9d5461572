/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fields: reads a JSON object into a C struct, by a description that was generated from the schema.
 *
 * Owns every check of a guest command's arguments, in the words that hosts know from qemu-ga: which
 * member is missing, unexpected, of the wrong type, or has a value that is none of an enum's.
 * Leaves what the values mean to the commands. The order of checks is qemu-ga's too: members as the
 * schema lists them, then those that do not belong.
 */

#pragma once

#include "common/json-read.h"

G_BEGIN_DECLS

typedef enum {
    GUEST_FIELD_INT,       /* gint64 */
    GUEST_FIELD_UINT64,    /* guint64 */
    GUEST_FIELD_BOOL,      /* gboolean */
    GUEST_FIELD_STR,       /* char *, owned */
    GUEST_FIELD_BASE64,    /* JsonSpan of a string: too large to be copied for nothing */
    GUEST_FIELD_ENUM,      /* int: index into choices */
    GUEST_FIELD_ALTERNATE, /* GuestAlternate */
    GUEST_FIELD_STRUCT,    /* a struct, by value */
} GuestFieldKind;

/* A value whose type the peer chooses. */
typedef struct {
    JsonKind kind; /* JSON_KIND_NONE where absent */
    gint64 value;  /* the integer, the boolean, or which of the enum's choices */
} GuestAlternate;

typedef struct GuestStruct GuestStruct;

typedef struct {
    const char *name;
    GuestFieldKind kind;
    gboolean is_list; /* GArray *, zero-terminated, of what kind says; NULL where absent */
    gboolean is_optional;
    const char *fallback; /* (nullable): JSON text that stands in where the member is absent */
    gsize offset;
    gssize has_offset;          /* of the gboolean that tells presence; -1: the value itself does */
    const char *type;           /* ALTERNATE: its name, for errors */
    const char *const *choices; /* ENUM, ALTERNATE: NULL-terminated */
    guint kinds;                /* ALTERNATE: a bit (1 << JsonKind) for each that it takes */
    const GuestStruct *members; /* STRUCT */
} GuestField;

/* The generator refuses a schema with more members than this in one object. */
#define GUEST_STRUCT_MAX_FIELDS 32

struct GuestStruct {
    gsize size;
    const GuestField *fields;
    guint n_fields;
};

/**
 * guest_struct_read:
 * @object: what the peer sent; absent stands for an object without members
 * @ret: @description->size bytes; to be cleared with guest_struct_clear(), which is done where this
 * fails. Spans in it point into @object.
 * @error: GenericError, ready for the peer
 */
gboolean guest_struct_read(const GuestStruct *description, JsonSpan object, gpointer ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void guest_struct_clear(const GuestStruct *description, gpointer data);

G_END_DECLS
