/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * QEMU's pretty form, of what the proxy sends in its compact one, in whatever pieces that comes.
 * The expected text is what QEMU 7.2 prints.
 */

#include "json-pretty.h"

#include <string.h>

#include "limits.h"

static const struct {
    const char *compact, *pretty;
} vectors[] = {
    {"{\"return\": {}}\r\n", "{\r\n"
                             "    \"return\": {\r\n"
                             "    }\r\n"
                             "}\r\n"},
    {"{\"return\": []}\r\n", "{\r\n"
                             "    \"return\": [\r\n"
                             "    ]\r\n"
                             "}\r\n"},
    {"{\"return\": 1, \"id\": null}\r\n", "{\r\n"
                                          "    \"return\": 1,\r\n"
                                          "    \"id\": null\r\n"
                                          "}\r\n"},
    {"{\"id\": [1, [2.5e3, {}], {\"a\": true}], \"error\": {\"class\": \"GenericError\", \"desc\": "
     "\"x\"}}\r\n",
     "{\r\n"
     "    \"id\": [\r\n"
     "        1,\r\n"
     "        [\r\n"
     "            2.5e3,\r\n"
     "            {\r\n"
     "            }\r\n"
     "        ],\r\n"
     "        {\r\n"
     "            \"a\": true\r\n"
     "        }\r\n"
     "    ],\r\n"
     "    \"error\": {\r\n"
     "        \"class\": \"GenericError\",\r\n"
     "        \"desc\": \"x\"\r\n"
     "    }\r\n"
     "}\r\n"},
    /* What looks like structure within a string is none. */
    {"{\"return\": \"{[,:]} \\\" \\\\\", \"id\": \"\\\\\\\"}\"}\r\n",
     "{\r\n"
     "    \"return\": \"{[,:]} \\\" \\\\\",\r\n"
     "    \"id\": \"\\\\\\\"}\"\r\n"
     "}\r\n"},
    {"['{\"[,]\\'\\\\']\n", "[\r\n    '{\"[,]\\'\\\\'\r\n]\r\n"},
};

static void assert_fed(const char *text, gsize cut, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);
    JsonPretty pretty;

    json_pretty_init(&pretty);
    json_pretty_feed(&pretty, text, cut, out);
    json_pretty_feed(&pretty, text + cut, strlen(text) - cut, out);
    g_assert_cmpstr(out->str, ==, expected);
}

static void test_vectors(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++)
        for (gsize cut = 0; cut <= strlen(vectors[i].compact); cut++)
            assert_fed(vectors[i].compact, cut, vectors[i].pretty);
}

/* One after the other, of one state; and what is pretty already comes out as it is. */
static void test_stream(void)
{
    g_autoptr(GString) in = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_string_append(in, vectors[i].compact);
        g_string_append(expected, vectors[i].pretty);
    }
    for (gsize cut = 0; cut <= in->len; cut++)
        assert_fed(in->str, cut, expected->str);
    for (gsize cut = 0; cut <= expected->len; cut++)
        assert_fed(expected->str, cut, expected->str);
}

/* As deep as may be: the length that one byte can take is what the header says. */
static void test_deepest(void)
{
    g_autoptr(GString) in = g_string_new(NULL);
    g_autoptr(GString) out = g_string_new(NULL);
    JsonPretty pretty;
    gsize before;

    for (guint i = 0; i < LIMIT_JSON_NESTING; i++)
        g_string_append_c(in, '[');
    json_pretty_init(&pretty);
    json_pretty_feed(&pretty, in->str, in->len, out);
    before = out->len;
    json_pretty_feed(&pretty, "1", 1, out);
    g_assert_cmpuint(out->len - before, ==, 4 * LIMIT_JSON_NESTING + 3);
    for (guint i = 0; i < LIMIT_JSON_NESTING; i++)
        json_pretty_feed(&pretty, "]", 1, out);
    g_assert_true(g_str_has_suffix(out->str, "\r\n    ]\r\n]\r\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json-pretty/vectors", test_vectors);
    g_test_add_func("/json-pretty/stream", test_stream);
    g_test_add_func("/json-pretty/deepest", test_deepest);
    return g_test_run();
}
