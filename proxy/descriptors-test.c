/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which commands carry a descriptor to QEMU, and that a name is its maker's until QEMU has closed
 * it.
 */

#include "descriptors.h"

#include <string.h>

#include "common/limits.h"
#include "common/qmp-error.h"

static char alice, bob;

/* Returns: (transfer full): "carries", "plain", or the error */
static char *admit(Descriptors *descriptors, gpointer owner, gboolean local, gboolean has_fd,
                   const char *message)
{
    const DescriptorsAsker asker = {owner, local, has_fd};
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    gboolean carries = TRUE;

    g_assert_true(envelope_read_command((JsonSpan){message, strlen(message)}, ENVELOPE_OOB_KNOWN,
                                        &command, &error));
    if (descriptors_admit(descriptors, &command, &asker, &carries, &error))
        return g_strdup(carries ? "carries" : "plain");
    g_assert_error(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
    g_assert_false(carries);
    return g_strdup(error->message);
}

static void assert_admits(Descriptors *descriptors, gpointer owner, const char *message,
                          const char *expected)
{
    g_autofree char *found = admit(descriptors, owner, TRUE, TRUE, message);

    g_assert_cmpstr(found, ==, expected);
}

static void answer(Descriptors *descriptors, const char *command, const char *name,
                   gboolean success)
{
    g_autofree char *arguments = g_strdup_printf("{\"fdname\":\"%s\"}", name);

    descriptors_answered(descriptors, command, (JsonSpan){arguments, strlen(arguments)},
                         g_str_equal(command, "getfd"), success);
}

static void note(const char *name, gpointer data)
{
    g_string_append_printf(data, "%s ", name);
}

static void assert_closes(Descriptors *descriptors, const char *expected)
{
    g_autoptr(GString) log = g_string_new(NULL);

    descriptors_close_left(descriptors, note, log);
    g_assert_cmpstr(log->str, ==, expected);
}

#define GETFD(name)   "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"" name "\"}}"
#define CLOSEFD(name) "{\"execute\":\"closefd\",\"arguments\":{\"fdname\":\"" name "\"}}"
#define TAKEN         "File descriptor name 'x' is in use by another client"
#define NONE_CAME     "No file descriptor supplied via SCM_RIGHTS"

/* ---- Which command carries ------------------------------------------------------------------- */

static void test_carries(void)
{
    static const struct {
        const char *message, *expected;
    } cases[] = {
        {GETFD("x"), "carries"},
        {"{\"execute\":\"add-fd\"}", "carries"},
        {"{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":1,\"opaque\":\"a\"}}", "carries"},
        /* QEMU would refuse these without taking what came with them. */
        {"{\"execute\":\"getfd\"}", "plain"},
        {"{\"execute\":\"getfd\",\"arguments\":{}}", "plain"},
        {"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":1}}", "plain"},
        {"{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"x\",\"y\":1}}", "plain"},
        {"{\"execute\":\"getfd\",\"arguments\":{\"name\":\"x\"}}", "plain"},
        {"{\"exec-oob\":\"getfd\",\"arguments\":{\"fdname\":\"x\"}}", "plain"},
        {"{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":\"1\"}}", "plain"},
        {"{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":1.5}}", "plain"},
        {"{\"execute\":\"add-fd\",\"arguments\":{\"opaque\":1}}", "plain"},
        {"{\"execute\":\"add-fd\",\"arguments\":{\"x\":1}}", "plain"},
        /* And these know nothing of descriptors. */
        {CLOSEFD("x"), "plain"},
        {"{\"execute\":\"netdev_add\",\"arguments\":{\"fd\":\"x\"}}", "plain"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Descriptors descriptors;

        g_test_message("%s", cases[i].message);
        descriptors_init(&descriptors);
        assert_admits(&descriptors, &alice, cases[i].message, cases[i].expected);
        descriptors_clear(&descriptors);
    }
}

/* Refused here: QEMU would take what is left of somebody else's. */
static void test_none_came(void)
{
    static const char *const messages[] = {GETFD("x"), "{\"execute\":\"add-fd\"}"};
    Descriptors descriptors;

    descriptors_init(&descriptors);
    for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
        g_autofree char *here = admit(&descriptors, &alice, TRUE, FALSE, messages[i]);
        g_autofree char *afar = admit(&descriptors, &alice, FALSE, FALSE, messages[i]);

        g_assert_cmpstr(here, ==, NONE_CAME);
        g_assert_cmpstr(afar, ==, NONE_CAME ", which needs a client on a unix socket");
    }
    g_assert_cmpuint(descriptors_count(&descriptors), ==, 0);
    descriptors_clear(&descriptors);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* From when it is asked for until it is closed; not where QEMU refuses it. */
static void test_owned(void)
{
    Descriptors descriptors;

    descriptors_init(&descriptors);
    assert_admits(&descriptors, &alice, GETFD("x"), "carries");
    assert_admits(&descriptors, &bob, GETFD("x"), TAKEN);
    answer(&descriptors, "getfd", "x", FALSE);
    assert_admits(&descriptors, &bob, GETFD("x"), "carries");
    answer(&descriptors, "getfd", "x", TRUE);
    assert_admits(&descriptors, &alice, GETFD("x"), TAKEN);
    assert_admits(&descriptors, &alice, CLOSEFD("x"), "File descriptor named 'x' not found");
    assert_admits(&descriptors, &alice, CLOSEFD("y"), "plain");
    /* its own it may replace, and a replacement that fails leaves the former one */
    assert_admits(&descriptors, &bob, GETFD("x"), "carries");
    answer(&descriptors, "getfd", "x", FALSE);
    assert_admits(&descriptors, &alice, GETFD("x"), TAKEN);
    assert_admits(&descriptors, &bob, CLOSEFD("x"), "plain");
    answer(&descriptors, "closefd", "x", FALSE);
    assert_admits(&descriptors, &alice, GETFD("x"), TAKEN);
    answer(&descriptors, "closefd", "x", TRUE);
    assert_admits(&descriptors, &alice, GETFD("x"), "carries");
    descriptors_clear(&descriptors);
}

/* What it made is closed behind it, also what QEMU answers only later; until then it is taken. */
static void test_left_behind(void)
{
    Descriptors descriptors;

    descriptors_init(&descriptors);
    assert_admits(&descriptors, &alice, GETFD("x"), "carries");
    answer(&descriptors, "getfd", "x", TRUE);
    assert_admits(&descriptors, &bob, GETFD("b"), "carries");
    answer(&descriptors, "getfd", "b", TRUE);
    assert_admits(&descriptors, &alice, GETFD("late"), "carries");
    assert_admits(&descriptors, &alice, GETFD("never"), "carries");
    assert_closes(&descriptors, "");
    descriptors_leave(&descriptors, &alice);
    assert_closes(&descriptors, "x ");
    assert_closes(&descriptors, "");
    answer(&descriptors, "getfd", "late", TRUE);
    answer(&descriptors, "getfd", "never", FALSE);
    assert_closes(&descriptors, "late ");
    assert_admits(&descriptors, &bob, GETFD("x"), TAKEN);
    descriptors_closed(&descriptors, "x", TRUE);
    assert_admits(&descriptors, &bob, GETFD("x"), "carries");
    /* QEMU was away: it is asked again */
    descriptors_closed(&descriptors, "late", FALSE);
    assert_closes(&descriptors, "late ");
    descriptors_closed(&descriptors, "late", TRUE);
    descriptors_closed(&descriptors, "late", TRUE);
    g_assert_cmpuint(descriptors_count(&descriptors), ==, 2);
    descriptors_clear(&descriptors);
}

/* An answer to what was never admitted moves nothing. */
static void test_strange_answers(void)
{
    Descriptors descriptors;

    descriptors_init(&descriptors);
    assert_admits(&descriptors, &alice, GETFD("x"), "carries");
    answer(&descriptors, "getfd", "x", TRUE);
    descriptors_answered(&descriptors, "getfd", JSON_SPAN_LITERAL("{\"fdname\":\"x\"}"), FALSE,
                         FALSE);
    descriptors_answered(&descriptors, "closefd", JSON_SPAN_LITERAL("{\"x\":1}"), FALSE, TRUE);
    descriptors_answered(&descriptors, "closefd", JSON_SPAN_NONE, FALSE, TRUE);
    descriptors_answered(&descriptors, "query-name", JSON_SPAN_NONE, FALSE, TRUE);
    answer(&descriptors, "closefd", "y", TRUE);
    g_assert_cmpuint(descriptors_count(&descriptors), ==, 1);
    descriptors_clear(&descriptors);
}

static void test_limits(void)
{
    g_autofree char *name = g_strnfill(LIMIT_FD_NAME + 1, 'n');
    g_autofree char *longest = g_strdup_printf(GETFD("%s"), name + 1);
    g_autofree char *longer = g_strdup_printf(GETFD("%s"), name);
    Descriptors descriptors;

    descriptors_init(&descriptors);
    assert_admits(&descriptors, &alice, longer, "Parameter 'fdname' has 257 bytes, at most 256");
    assert_admits(&descriptors, &alice, longest, "carries");
    for (guint i = 1; i < LIMIT_CLIENT_FD_NAMES; i++) {
        g_autofree char *message = g_strdup_printf(GETFD("fd%u"), i);

        assert_admits(&descriptors, &alice, message, "carries");
    }
    assert_admits(&descriptors, &alice, GETFD("x"),
                  "A client may hold 256 named file descriptors at most");
    assert_admits(&descriptors, &alice, GETFD("fd1"), "carries");
    assert_admits(&descriptors, &bob, GETFD("x"), "carries");
    descriptors_clear(&descriptors);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/descriptors/carries", test_carries);
    g_test_add_func("/descriptors/none-came", test_none_came);
    g_test_add_func("/descriptors/owned", test_owned);
    g_test_add_func("/descriptors/left-behind", test_left_behind);
    g_test_add_func("/descriptors/strange-answers", test_strange_answers);
    g_test_add_func("/descriptors/limits", test_limits);
    return g_test_run();
}
