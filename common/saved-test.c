/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "saved.h"

/* As it is written to a file and read again. */
static GVariant *pass_on(Saved *saved)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_dict_end(saved));
    g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(value);

    return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
}

/* Each kind comes back as it was: no bytes and no text are different from none at all. */
static void test_values(void)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) passed = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GBytes) empty = NULL;
    g_autofree char *text = NULL;
    g_autofree char *blank = NULL;

    saved_put_int(&saved, "least", G_MININT64);
    saved_put_text(&saved, "text", "caf\xC3\xA9 \xFF");
    saved_put_text(&saved, "blank", "");
    saved_put_text(&saved, "no-text", NULL);
    saved_put_bytes(&saved, "bytes", "a\0b", 3);
    saved_put_bytes(&saved, "empty", "", 0);
    saved_put_bytes(&saved, "no-bytes", NULL, 0);
    passed = pass_on(&saved);

    g_variant_dict_init(&saved, passed);
    g_assert_cmpint(saved_get_int(&saved, "least"), ==, G_MININT64);
    text = saved_get_text(&saved, "text");
    blank = saved_get_text(&saved, "blank");
    bytes = saved_get_bytes(&saved, "bytes");
    empty = saved_get_bytes(&saved, "empty");
    g_assert_cmpstr(text, ==, "caf\xC3\xA9 \xFF");
    g_assert_cmpstr(blank, ==, "");
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "a\0b", 3);
    g_assert_cmpuint(g_bytes_get_size(empty), ==, 0);
    g_assert_null(saved_get_text(&saved, "no-text"));
    g_assert_null(saved_get_bytes(&saved, "no-bytes"));
    g_variant_dict_clear(&saved);
}

/* A successor finds nothing where its forerunner was of another make. */
static void test_strangers(void)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Saved part;

    g_variant_dict_insert(&saved, "int", "s", "5");
    g_variant_dict_insert(&saved, "text", "x", (gint64)5);
    g_variant_dict_insert(&saved, "part", "x", (gint64)5);
    g_assert_cmpint(saved_get_int(&saved, "int"), ==, 0);
    g_assert_cmpint(saved_get_int(&saved, "absent"), ==, 0);
    g_assert_null(saved_get_text(&saved, "text"));
    g_assert_null(saved_get_bytes(&saved, "text"));
    g_assert_false(saved_get_part(&saved, "part", &part));
    g_assert_cmpint(saved_get_int(&part, "int"), ==, 0);
    g_variant_dict_clear(&part);
    saved_foreach(&saved, "int", NULL, NULL);
    g_variant_dict_clear(&saved);
}

static void note_end(gpointer ended)
{
    *(gboolean *)ended = TRUE;
}

/* A few bytes that are kept for long do not keep the megabytes that they came with. */
static void test_kept_bytes(void)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) state = NULL;
    g_autoptr(GBytes) all = NULL;
    g_autoptr(GBytes) kept = NULL;
    GVariant *passed;
    gboolean ended = FALSE;

    saved_put_bytes(&saved, "bytes", "abc", 3);
    state = g_variant_ref_sink(g_variant_dict_end(&saved));
    all = g_bytes_new_with_free_func(g_variant_get_data(state), g_variant_get_size(state), note_end,
                                     &ended);
    passed = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, all, FALSE));
    g_clear_pointer(&all, g_bytes_unref);
    g_variant_dict_init(&saved, passed);
    kept = saved_get_bytes(&saved, "bytes");
    g_variant_dict_clear(&saved);
    g_variant_unref(passed);
    g_assert_true(ended);
    g_assert_cmpmem(g_bytes_get_data(kept, NULL), g_bytes_get_size(kept), "abc", 3);
}

static void collect(Saved *item, gpointer data)
{
    g_string_append_printf(data, "%" G_GINT64_FORMAT " ", saved_get_int(item, "number"));
}

/* Lists keep their order, parts are found by what they contain. */
static void test_nested(void)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Saved part = G_VARIANT_DICT_INIT(NULL);
    SavedList *list = saved_list_new();
    g_autoptr(GString) numbers = g_string_new(NULL);
    g_autoptr(GVariant) passed = NULL;

    for (int i = 3; i > 0; i--) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_int(&item, "number", i);
        saved_put_text(&item, "name", i == 2 ? "two" : "other");
        saved_list_add(list, &item);
    }
    saved_put_list(&saved, "list", list);
    saved_put_int(&part, "number", 7);
    saved_put_part(&saved, "part", &part);
    passed = pass_on(&saved);

    g_variant_dict_init(&saved, passed);
    saved_foreach(&saved, "list", collect, numbers);
    g_assert_cmpstr(numbers->str, ==, "3 2 1 ");
    g_assert_true(saved_get_part(&saved, "part", &part));
    g_assert_cmpint(saved_get_int(&part, "number"), ==, 7);
    g_variant_dict_clear(&part);
    g_assert_true(saved_find(&saved, "list", "name", "two", &part));
    g_assert_cmpint(saved_get_int(&part, "number"), ==, 2);
    g_variant_dict_clear(&part);
    g_assert_false(saved_find(&saved, "list", "name", "three", &part));
    g_variant_dict_clear(&part);
    g_variant_dict_clear(&saved);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/saved/values", test_values);
    g_test_add_func("/saved/strangers", test_strangers);
    g_test_add_func("/saved/kept-bytes", test_kept_bytes);
    g_test_add_func("/saved/nested", test_nested);
    return g_test_run();
}
