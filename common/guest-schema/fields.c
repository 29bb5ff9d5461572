/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fields.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

/* Where a value stands among the arguments; a chain of stack frames, turned into text for errors
 * alone. */
typedef struct Place {
    const struct Place *outer; /* NULL: the arguments themselves */
    const char *name;          /* of a member */
    gssize index;              /* of a list's element, or -1 */
} Place;

static void place_append(const Place *place, GString *out)
{
    if (place == NULL)
        return;
    place_append(place->outer, out);
    if (place->index >= 0)
        g_string_append_printf(out, "[%" G_GSSIZE_FORMAT "]", place->index);
    else
        g_string_append_printf(out, "%s%.*s", out->len > 0 ? "." : "", LIMIT_COMMAND_NAME,
                               place->name);
}

static char *place_text(const Place *place)
{
    GString *text = g_string_new(NULL);

    place_append(place, text);
    return g_string_free(text, FALSE);
}

static gboolean fail_missing(const Place *place, GError **error)
{
    g_autofree char *name = place_text(place);

    qmp_error_set(error, "Parameter '%s' is missing", name);
    return FALSE;
}

static gboolean fail_unexpected(const Place *place, GError **error)
{
    g_autofree char *name = place_text(place);

    qmp_error_set(error, "Parameter '%s' is unexpected", name);
    return FALSE;
}

static gboolean fail_type(const Place *place, const char *expected, GError **error)
{
    g_autofree char *name = place_text(place);

    qmp_error_set(error, "Invalid parameter type for '%s', expected: %s", name, expected);
    return FALSE;
}

static gboolean read_choice(const char *const *choices, JsonSpan value, const Place *place,
                            guint *ret_index, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *name = NULL;

    for (guint i = 0; choices[i] != NULL; i++) {
        if (json_read_is(value, choices[i])) {
            *ret_index = i;
            return TRUE;
        }
    }
    text = json_read_string(value);
    if (text == NULL)
        return fail_type(place, "string", error);
    name = place_text(place);
    qmp_error_set(error, "Parameter '%s' does not accept value '%.*s'", name, LIMIT_COMMAND_NAME,
                  text);
    return FALSE;
}

static gboolean read_enum(const GuestField *field, JsonSpan value, const Place *place, int *ret,
                          GError **error)
{
    guint index;

    if (!read_choice(field->choices, value, place, &index, error))
        return FALSE;
    *ret = (int)index;
    return TRUE;
}

static gboolean read_alternate(const GuestField *field, JsonSpan value, const Place *place,
                               GuestAlternate *ret, GError **error)
{
    GuestAlternate found = {.kind = json_read_kind(value)};
    gboolean boolean = FALSE;
    guint index = 0;

    if ((field->kinds & (1u << found.kind)) == 0)
        return fail_type(place, field->type, error);
    switch (found.kind) {
    case JSON_KIND_NUMBER:
        if (!json_read_int64(value, &found.value))
            return fail_type(place, field->type, error);
        break;
    case JSON_KIND_BOOLEAN:
        if (!json_read_boolean(value, &boolean))
            return fail_type(place, field->type, error);
        found.value = boolean;
        break;
    default:
        if (!read_choice(field->choices, value, place, &index, error))
            return FALSE;
        found.value = index;
        break;
    }
    *ret = found;
    return TRUE;
}

/* A struct's member may be a struct again. */
static gboolean read_struct(const GuestStruct *description, JsonSpan object, const Place *place,
                            gpointer ret, GError **error);

static gboolean read_value(const GuestField *field, JsonSpan value, const Place *place,
                           gpointer ret, GError **error)
{
    switch (field->kind) {
    case GUEST_FIELD_INT: return json_read_int64(value, ret) || fail_type(place, "integer", error);
    case GUEST_FIELD_UINT64:
        return json_read_uint64(value, ret) || fail_type(place, "integer", error);
    case GUEST_FIELD_BOOL:
        return json_read_boolean(value, ret) || fail_type(place, "boolean", error);
    case GUEST_FIELD_STR:
        *(char **)ret = json_read_string(value);
        return *(char **)ret != NULL || fail_type(place, "string", error);
    case GUEST_FIELD_BASE64:
        if (json_read_kind(value) != JSON_KIND_STRING)
            return fail_type(place, "string", error);
        *(JsonSpan *)ret = value;
        return TRUE;
    case GUEST_FIELD_ENUM: return read_enum(field, value, place, ret, error);
    case GUEST_FIELD_ALTERNATE: return read_alternate(field, value, place, ret, error);
    case GUEST_FIELD_STRUCT: return read_struct(field->members, value, place, ret, error);
    }
    g_assert_not_reached();
}

static gsize value_size(const GuestField *field)
{
    switch (field->kind) {
    case GUEST_FIELD_INT:
    case GUEST_FIELD_UINT64: return sizeof(gint64);
    case GUEST_FIELD_BOOL:
    case GUEST_FIELD_ENUM: return sizeof(int);
    case GUEST_FIELD_STR: return sizeof(char *);
    case GUEST_FIELD_BASE64: return sizeof(JsonSpan);
    case GUEST_FIELD_ALTERNATE: return sizeof(GuestAlternate);
    case GUEST_FIELD_STRUCT: return field->members->size;
    }
    g_assert_not_reached();
}

/* What was read before a fault stays in the array, and goes with the struct that it belongs to. */
static gboolean read_list(const GuestField *field, JsonSpan list, const Place *place, GArray **ret,
                          GError **error)
{
    JsonWalk walk;
    JsonSpan value;

    if (json_read_kind(list) != JSON_KIND_ARRAY)
        return fail_type(place, "array", error);
    *ret = g_array_new(TRUE, TRUE, (guint)value_size(field));
    walk = json_read_walk(list);
    for (guint i = 0; json_read_element(&walk, &value); i++) {
        Place element = {.outer = place, .index = i};

        g_array_set_size(*ret, i + 1);
        if (!read_value(field, value, &element, (*ret)->data + i * value_size(field), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_field(const GuestField *field, JsonSpan value, const Place *outer, char *data,
                           GError **error)
{
    Place place = {.outer = outer, .name = field->name, .index = -1};

    if (json_read_kind(value) == JSON_KIND_NONE) {
        if (!field->is_optional)
            return fail_missing(&place, error);
        if (field->fallback == NULL)
            return TRUE;
        value = (JsonSpan){field->fallback, strlen(field->fallback)};
    } else if (field->has_offset >= 0) {
        *(gboolean *)(gpointer)(data + field->has_offset) = TRUE;
    }
    if (field->is_list)
        return read_list(field, value, &place, (gpointer)(data + field->offset), error);
    return read_value(field, value, &place, data + field->offset, error);
}

/*
 * One walk over the object: a guest-file-write is 64 MB of text to walk over.
 *
 * ret_unexpected: (transfer full) (nullable): the first member that is none of ours
 */
static void find_members(const GuestStruct *description, JsonSpan object, JsonSpan *ret_values,
                         char **ret_unexpected)
{
    JsonWalk walk = json_read_walk(object);
    JsonSpan key, value;

    while (json_read_member(&walk, &key, &value)) {
        guint i = 0;

        while (i < description->n_fields && !json_read_is(key, description->fields[i].name))
            i++;
        if (i < description->n_fields)
            ret_values[i] = value;
        else if (*ret_unexpected == NULL)
            *ret_unexpected = json_read_string(key);
    }
}

static gboolean read_struct(const GuestStruct *description, JsonSpan object, const Place *place,
                            gpointer ret, GError **error)
{
    JsonSpan values[GUEST_STRUCT_MAX_FIELDS];
    g_autofree char *unexpected = NULL;

    for (guint i = 0; i < description->n_fields; i++)
        values[i] = JSON_SPAN_NONE;
    if (json_read_kind(object) != JSON_KIND_OBJECT)
        return fail_type(place, "object", error);
    find_members(description, object, values, &unexpected);
    for (guint i = 0; i < description->n_fields; i++) {
        if (!read_field(&description->fields[i], values[i], place, ret, error))
            return FALSE;
    }
    if (unexpected != NULL) {
        Place stranger = {.outer = place, .name = unexpected, .index = -1};

        return fail_unexpected(&stranger, error);
    }
    return TRUE;
}

static void clear_value(const GuestField *field, gpointer value)
{
    if (field->kind == GUEST_FIELD_STR)
        g_clear_pointer((char **)value, g_free);
    else if (field->kind == GUEST_FIELD_STRUCT)
        guest_struct_clear(field->members, value);
}

void guest_struct_clear(const GuestStruct *description, gpointer data)
{
    for (guint i = 0; i < description->n_fields; i++) {
        const GuestField *field = &description->fields[i];
        gpointer value = (char *)data + field->offset;

        if (field->is_list) {
            g_autoptr(GArray) list = g_steal_pointer((GArray **)value);

            for (guint j = 0; list != NULL && j < list->len; j++)
                clear_value(field, list->data + j * value_size(field));
        } else {
            clear_value(field, value);
        }
    }
}

gboolean guest_struct_read(const GuestStruct *description, JsonSpan object, gpointer ret,
                           GError **error)
{
    static const JsonSpan no_members = JSON_SPAN_LITERAL("{}");

    if (description->n_fields == 0 && json_read_kind(object) == JSON_KIND_NONE)
        return TRUE;
    memset(ret, 0, description->size);
    if (json_read_kind(object) == JSON_KIND_NONE)
        object = no_members;
    if (read_struct(description, object, NULL, ret, error))
        return TRUE;
    guest_struct_clear(description, ret);
    return FALSE;
}
