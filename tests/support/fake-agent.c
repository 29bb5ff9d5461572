/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fake-agent.h"

#include <string.h>

gint64 fake_agent_take_probe(Peer *agent, const char *command)
{
    g_autofree char *text = peer_take(agent);
    g_autofree char *front =
        g_strdup_printf("\xff{\"execute\":\"%s\",\"arguments\":{\"id\":", command);
    char *end = NULL;
    gint64 token;

    if (!g_str_has_prefix(text, front))
        g_error("no probe with %s came, but: %s", command, text);
    token = g_ascii_strtoll(text + strlen(front), &end, 10);
    g_assert_cmpstr(end, ==, "}}\n");
    g_assert_cmpint(token, >=, 0);
    return token;
}

void fake_agent_answer_probe(Peer *agent, gint64 token)
{
    g_autofree char *text =
        g_strdup_printf("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, "
                        "stray '\\uFFFD'\"}}\n\xff{\"return\": %" G_GINT64_FORMAT "}\n",
                        token);

    peer_send(agent, text);
}

void fake_agent_sync(Peer *agent, World *world)
{
    world_settle(world);
    fake_agent_answer_probe(agent, fake_agent_take_probe(agent, "guest-sync-delimited"));
    world_settle(world);
}

void fake_agent_sync_last(Peer *agent, World *world)
{
    g_autofree char *came = peer_take(agent);
    const char *last = g_strrstr(came, "\"id\":");

    g_assert_nonnull(last);
    fake_agent_answer_probe(agent, g_ascii_strtoll(last + strlen("\"id\":"), NULL, 10));
    world_settle(world);
}

char *fake_agent_take(Peer *agent, const char *text)
{
    g_autofree char *came = peer_take(agent);
    g_autofree char *front = g_strndup(text, strlen(text) - 1);
    char *id;

    if (!g_str_has_prefix(came, front) || !g_str_has_prefix(came + strlen(front), ",\"id\":") ||
        !g_str_has_suffix(came, "}\n"))
        g_error("not %s with an id came, but: %s", text, came);
    id = g_strndup(came + strlen(front) + 6, strlen(came) - strlen(front) - 8);
    g_assert_cmpuint(strspn(id, "0123456789"), ==, strlen(id));
    return id;
}

void fake_agent_return(Peer *agent, const char *id, const char *value)
{
    g_autofree char *text = g_strdup_printf("{\"return\": %s, \"id\": %s}\n", value, id);

    peer_send(agent, text);
}

void fake_agent_return_large(Peer *agent, World *world, const char *id, const char *value)
{
    g_autofree char *text = g_strdup_printf("{\"return\": %s, \"id\": %s}\n", value, id);

    world_send(world, agent, text);
}

void fake_agent_serve(Peer *agent, World *world, const char *text, const char *value)
{
    g_autofree char *id = fake_agent_take(agent, text);

    fake_agent_return(agent, id, value);
    world_settle(world);
}
