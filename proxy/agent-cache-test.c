/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Answers that are given again: to whom, for how long, how much of them, and what a mistake in
 * setting it up is told.
 */

#include "agent-cache.h"

#include <string.h>

#include "common/limits.h"

static void on_done(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
}

static void keep(AgentCache *cache, const char *name, const char *arguments, const char *value,
                 gint64 asked_us)
{
    Pending *pending = pending_new_own(name, arguments, on_done, NULL);

    agent_cache_keep(cache, pending, (JsonSpan){value, strlen(value)}, asked_us);
    pending_fail(pending, "done");
}

static void assert_found(const AgentCache *cache, const char *name, const char *arguments,
                         gint64 now_us, const char *expected)
{
    Pending *pending = pending_new_own(name, arguments, on_done, NULL);
    g_autoptr(GBytes) found = agent_cache_find(cache, pending, now_us);

    g_assert_cmpint(found != NULL, ==, expected != NULL);
    if (found)
        g_assert_cmpmem(g_bytes_get_data(found, NULL), g_bytes_get_size(found), expected,
                        strlen(expected));
    pending_fail(pending, "done");
}

static void allow(AgentCache *cache, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(agent_cache_allow(cache, text, &error));
    g_assert_no_error(error);
}

/* Nothing is kept of a command that was not named; no arguments and empty ones are the same, any
 * others are another question. */
static void test_who(void)
{
    AgentCache cache;

    agent_cache_init(&cache);
    keep(&cache, "guest-get-osinfo", NULL, "1", 0);
    assert_found(&cache, "guest-get-osinfo", NULL, 0, NULL);
    allow(&cache, "guest-get-osinfo=10");
    assert_found(&cache, "guest-get-osinfo", NULL, 0, NULL);
    keep(&cache, "guest-get-osinfo", NULL, "2", 0);
    keep(&cache, "guest-get-osinfo", "{\"a\":1}", "3", 0);
    keep(&cache, "guest-get-users", NULL, "4", 0);
    keep(&cache, "guest-no-such-thing", NULL, "5", 0);
    assert_found(&cache, "guest-get-osinfo", NULL, 0, "2");
    assert_found(&cache, "guest-get-osinfo", "{ }", 0, "2");
    assert_found(&cache, "guest-get-osinfo", "{\"a\":1}", 0, "3");
    assert_found(&cache, "guest-get-osinfo", "{\"a\":2}", 0, NULL);
    assert_found(&cache, "guest-get-users", NULL, 0, NULL);
    assert_found(&cache, "guest-no-such-thing", NULL, 0, NULL);
    agent_cache_forget(&cache);
    assert_found(&cache, "guest-get-osinfo", NULL, 0, NULL);
    g_assert_cmpuint(cache.bytes, ==, 0);
    agent_cache_clear(&cache);
}

/* Given again is what is younger than that, to the microsecond, by the command's own time; the last
 * that was said of it and the last answer count. */
static void test_age(void)
{
    AgentCache cache;

    agent_cache_init(&cache);
    allow(&cache, "guest-get-osinfo=5");
    allow(&cache, "guest-get-users=2");
    keep(&cache, "guest-get-osinfo", NULL, "1", 100);
    keep(&cache, "guest-get-users", NULL, "2", 100);
    assert_found(&cache, "guest-get-users", NULL, 2000099, "2");
    assert_found(&cache, "guest-get-users", NULL, 2000100, NULL);
    assert_found(&cache, "guest-get-osinfo", NULL, 5000099, "1");
    assert_found(&cache, "guest-get-osinfo", NULL, 5000100, NULL);
    keep(&cache, "guest-get-osinfo", NULL, "3", 5000100);
    assert_found(&cache, "guest-get-osinfo", NULL, 10000099, "3");
    allow(&cache, "guest-get-osinfo=1");
    assert_found(&cache, "guest-get-osinfo", NULL, 10000099, NULL);
    agent_cache_clear(&cache);
}

/* The oldest make room, and what is too large by itself is not kept. */
static void test_bounds(void)
{
    g_autofree char *half = g_strnfill(LIMIT_AGENT_CACHE_BYTES / 2, '1');
    g_autofree char *most = g_strnfill(LIMIT_AGENT_CACHE_BYTES, '1');
    g_autofree char *more = g_strnfill(LIMIT_AGENT_CACHE_BYTES + 1, '1');
    AgentCache cache;

    agent_cache_init(&cache);
    allow(&cache, "guest-get-osinfo=5");
    keep(&cache, "guest-get-osinfo", "{\"a\":1}", "1", 0);
    keep(&cache, "guest-get-osinfo", "{\"a\":2}", half, 0);
    keep(&cache, "guest-get-osinfo", "{\"a\":3}", half, 0);
    assert_found(&cache, "guest-get-osinfo", "{\"a\":1}", 0, NULL);
    assert_found(&cache, "guest-get-osinfo", "{\"a\":2}", 0, NULL);
    assert_found(&cache, "guest-get-osinfo", "{\"a\":3}", 0, half);
    keep(&cache, "guest-get-osinfo", NULL, most, 0);
    assert_found(&cache, "guest-get-osinfo", NULL, 0, most);
    keep(&cache, "guest-get-osinfo", NULL, more, 0);
    assert_found(&cache, "guest-get-osinfo", NULL, 0, NULL);
    g_assert_cmpuint(cache.bytes, ==, 0);

    for (guint i = 0; i <= LIMIT_AGENT_CACHE_ANSWERS; i++) {
        g_autofree char *arguments = g_strdup_printf("{\"a\":%u}", i);

        keep(&cache, "guest-get-osinfo", arguments, "1", 0);
    }
    g_assert_cmpuint(cache.kept.length, ==, LIMIT_AGENT_CACHE_ANSWERS);
    assert_found(&cache, "guest-get-osinfo", "{\"a\":0}", 0, NULL);
    assert_found(&cache, "guest-get-osinfo", "{\"a\":1}", 0, "1");
    agent_cache_clear(&cache);
}

static void test_mistakes(void)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"guest-get-osinfo", "'guest-get-osinfo' is not COMMAND=SECONDS"},
        {"", "'' is not COMMAND=SECONDS"},
        {"=5", "'' is no command whose answer may be kept for others"},
        {"guest-exec=5", "'guest-exec' is no command whose answer may be kept for others"},
        {"guest-ping=5", "'guest-ping' is no command whose answer may be kept for others"},
        {"guest-get-time=5", "'guest-get-time' is no command whose answer may be kept for others"},
        {"guest-fsfreeze-status=5",
         "'guest-fsfreeze-status' is no command whose answer may be kept for others"},
        {"guest-x=5", "'guest-x' is no command whose answer may be kept for others"},
        {"guest-info=0", "the answer of guest-info may be kept for 1 to 86400 seconds, not '0'"},
        {"guest-info=", "the answer of guest-info may be kept for 1 to 86400 seconds, not ''"},
        {"guest-info=1m", "the answer of guest-info may be kept for 1 to 86400 seconds, not '1m'"},
        {"guest-info=86401",
         "the answer of guest-info may be kept for 1 to 86400 seconds, not '86401'"},
    };
    AgentCache cache;

    agent_cache_init(&cache);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(agent_cache_allow(&cache, cases[i].text, &error));
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
    allow(&cache, "guest-info=1");
    allow(&cache, "guest-info=86400");
    agent_cache_clear(&cache);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent-cache/who", test_who);
    g_test_add_func("/agent-cache/age", test_age);
    g_test_add_func("/agent-cache/bounds", test_bounds);
    g_test_add_func("/agent-cache/mistakes", test_mistakes);
    return g_test_run();
}
