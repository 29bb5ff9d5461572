/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-lane-fixture.h"

#include <string.h>
#include <sys/socket.h>

static void on_synced(gpointer owner)
{
    LaneFixture *fixture = owner;

    g_string_append(fixture->log, "synced\n");
}

static void on_lost(gpointer owner)
{
}

static void on_changed(gpointer owner, const char *state)
{
}

static void on_ask_port(gpointer owner)
{
    LaneFixture *fixture = owner;

    g_string_append(fixture->log, "ask\n");
}

static void on_done(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    LaneFixture *fixture = pending->owner;

    if (error)
        g_string_append_printf(fixture->log, "%s: %s\n", pending->name, error->message);
    else
        g_string_append_printf(fixture->log, "%s %.*s\n", pending->name, (int)reply->value.len,
                               reply->value.text);
}

void lane_set_up(LaneFixture *fixture, gconstpointer unused)
{
    static const AgentLaneOps ops = {on_synced, on_lost, on_changed, on_ask_port};
    Address address = {.kind = ADDRESS_FD};
    g_autoptr(GError) error = NULL;

    *fixture = (LaneFixture){.log = g_string_new(NULL)};
    world_init(&fixture->world);
    bounds_init(&fixture->bounds);
    address.number = (guint32)peer_init_pair(&fixture->agent, SOCK_STREAM);
    fixture->lane = agent_lane_new(fixture->world.loop, &address, &fixture->bounds, &ops, fixture,
                                   NULL, &error);
    g_assert_no_error(error);
}

void lane_set_up_ready(LaneFixture *fixture, gconstpointer unused)
{
    lane_set_up(fixture, unused);
    agent_lane_connect(fixture->lane);
    agent_lane_set_port(fixture->lane, PORT_OPEN, FALSE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "synced\n");
    g_assert_cmpint(agent_lane_state(fixture->lane), ==, AGENT_READY);
}

void lane_tear_down(LaneFixture *fixture, gconstpointer unused)
{
    agent_lane_free(fixture->lane);
    peer_clear(&fixture->agent);
    world_clear(&fixture->world);
    g_string_free(fixture->log, TRUE);
}

Pending *lane_submit_with(LaneFixture *fixture, const char *name, const char *arguments)
{
    Pending *pending = pending_new_own(name, arguments, on_done, fixture);

    pending->asker = fixture; /* a client, whoever that is */
    agent_lane_submit(fixture->lane, pending);
    return pending;
}

Pending *lane_submit(LaneFixture *fixture, const char *name)
{
    return lane_submit_with(fixture, name, NULL);
}

void lane_assert_log(LaneFixture *fixture, const char *expected)
{
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

char *lane_take(LaneFixture *fixture, const char *name)
{
    g_autofree char *text = g_strdup_printf("{\"execute\":\"%s\"}", name);

    world_settle(&fixture->world);
    return fake_agent_take(&fixture->agent, text);
}

void lane_take_and_answer(LaneFixture *fixture, const char *name, const char *value)
{
    g_autofree char *id = lane_take(fixture, name);

    fake_agent_return(&fixture->agent, id, value);
    world_settle(&fixture->world);
}

gint64 lane_take_silent(LaneFixture *fixture, const char *name, char **ret_id)
{
    g_autofree char *front = g_strdup_printf("{\"execute\":\"%s\",\"id\":", name);
    g_autofree char *line = NULL;

    world_settle(&fixture->world);
    line = peer_take_line(&fixture->agent);
    g_assert_true(g_str_has_prefix(line, front));
    if (ret_id)
        *ret_id = g_strndup(line + strlen(front), strlen(line) - strlen(front) - strlen("}\n"));
    return fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
}
