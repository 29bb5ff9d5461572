/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whose a freeze is, when it ends, and that it ends: by its lease, with its owner, after an answer
 * that never came, after a proxy that was killed. Whatever happens, the last thing that the agent
 * is asked is its status, and that is "thawed".
 */

#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#include "common/limits.h"
#include "support/sockets.h"

#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"
#define STATUS "{\"execute\":\"guest-fsfreeze-status\"}"
#define PING   "{\"execute\":\"guest-ping\"}"
#define EXEC   "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":1}}"
#define ASK    "{\"execute\":\"qga-proxy-status\"}"

/* Returns: (transfer full): all that came to a client and contains @needle, without the rest */
static char *heard(Peer *client, const char *needle)
{
    g_autofree char *came = peer_take(client);
    g_auto(GStrv) lines = g_strsplit(came, "\r\n", -1);
    GString *found = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++)
        if (strstr(lines[i], needle))
            g_string_append_printf(found, "%s\n", lines[i]);
    return g_string_free(found, FALSE);
}

static void assert_heard(Peer *client, const char *needle)
{
    g_autofree char *came = peer_take(client);

    if (!strstr(came, needle))
        g_error("'%s' is not in '%s'", needle, came);
}

static void assert_thaws(CoreFixture *fixture, guint count)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    g_autofree char *part = g_strdup_printf("\"thaws\": %u}", count);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

static void assert_freeze(CoreFixture *fixture, const char *state)
{
    g_autofree char *status = core_status(fixture->core, FALSE);
    g_autofree char *part = g_strdup_printf("\"freeze\": {\"state\": \"%s\"", state);

    if (!strstr(status, part))
        g_error("'%s' is not in '%s'", part, status);
}

/* The agent is asked exactly that, and answers. */
static void agent_does(CoreFixture *fixture, const char *command, const char *value)
{
    g_autofree char *id = fake_agent_take(&fixture->agent, command);

    fake_agent_return(&fixture->agent, id, value);
    world_settle(&fixture->world);
}

/* An agent whose commands are all enabled: else it would be asked for them again after each thaw.
 */
static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-info", "{\"version\": \"1\", \"supported_commands\": []}");
}

/* What is always asked when the agent was brought into step. */
static void sync_agent(CoreFixture *fixture)
{
    fake_agent_sync(&fixture->agent, &fixture->world);
}

/* All that the agent is asked when the proxy thaws. */
static void thaw_from_here(CoreFixture *fixture)
{
    sync_agent(fixture);
    agent_does(fixture, THAW, "2");
    agent_does(fixture, STATUS, "\"thawed\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    assert_freeze(fixture, "thawed");
}

static void freeze_by(CoreFixture *fixture, Peer *client)
{
    core_connect_negotiated(fixture, client, FALSE);
    core_send(fixture, client, FREEZE);
    agent_does(fixture, FREEZE, "2");
    assert_heard(client, "{\"return\": 2}");
    assert_freeze(fixture, "frozen");
}

/* ---- Owners ---------------------------------------------------------------------------------- */

/* Everybody hears of both, and of whose it was. Others cannot freeze, nor do what a frozen agent
 * refuses, and are told why; the agent is not asked. */
static void test_owned(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, other;

    core_connect_negotiated(fixture, &other, FALSE);
    freeze_by(fixture, &owner);
    core_expect_states(&other, "frozen");
    core_send(fixture, &other, FREEZE);
    assert_heard(&other, "\"CommandNotFound\", \"desc\": \"Command guest-fsfreeze-freeze has been "
                         "disabled: the guest is frozen by unix:");
    core_send(fixture, &other, EXEC);
    assert_heard(&other, "Command guest-file-close has been disabled: the guest is frozen by");
    core_send(fixture, &other, PING);
    agent_does(fixture, PING, "{}");
    assert_heard(&other, "{\"return\": {}}");

    core_send(fixture, &other, THAW);
    agent_does(fixture, THAW, "2");
    assert_freeze(fixture, "thawed");
    core_expect_states(&owner, "ready");
    assert_heard(&other, "{\"return\": 2}");
    core_send(fixture, &other, EXEC);
    agent_does(fixture, EXEC, "{}");
    peer_clear(&owner);
    peer_clear(&other);
}

/* Freezes that are refused while one is under way, by whichever check, leave that one as it is. */
static void test_second_while_freezing(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner, other;

    core_connect_negotiated(fixture, &other, TRUE);
    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    core_send(fixture, &other, FREEZE);
    assert_heard(&other, "has been disabled: the guest is freezing by unix:");
    assert_freeze(fixture, "freezing");
    core_send(fixture, &other, "{\"exec-oob\":\"guest-fsfreeze-freeze\"}");
    assert_heard(&other, "does not support OOB");
    assert_freeze(fixture, "freezing");
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    assert_heard(&owner, "{\"return\": 2}");
    assert_freeze(fixture, "frozen");
    peer_clear(&owner);
    peer_clear(&other);
}

/* Clients that connect for each command cannot be told apart: the freeze stays without its owner,
 * and anybody may thaw it. */
static void test_owner_leaves(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, next;

    freeze_by(fixture, &owner);
    peer_clear(&owner);
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
    assert_freeze(fixture, "frozen");
    core_connect_negotiated(fixture, &next, FALSE);
    core_send(fixture, &next, THAW);
    agent_does(fixture, THAW, "2");
    core_expect(&next, "{\"return\": 2}\r\n");
    assert_freeze(fixture, "thawed");
    peer_clear(&next);
}

static void freeze_with_session(CoreFixture *fixture, Peer *owner, Peer *other)
{
    core_connect_negotiated(fixture, other, FALSE);
    core_connect_negotiated(fixture, owner, FALSE);
    core_send(fixture, owner,
              "{\"execute\":\"qga-proxy-session-set\",\"arguments\":"
              "{\"thaw-on-disconnect\":true}}" FREEZE);
}

/* The guest is thawed, and everybody told why. */
static void assert_thawed_behind(CoreFixture *fixture, Peer *other)
{
    thaw_from_here(fixture);
    assert_heard(other, "\"data\": {\"state\": \"thawed\", \"reason\": \"owner-left\"}");
    core_send(fixture, other, THAW);
    assert_heard(other, "its owner left");
    peer_clear(other);
}

/* One that asked for it takes its freeze along. */
static void test_thaw_on_disconnect(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner, other;

    freeze_with_session(fixture, &owner, &other);
    agent_does(fixture, FREEZE, "2");
    peer_clear(&owner);
    world_settle(&fixture->world);
    assert_thawed_behind(fixture, &other);
}

/* The same where it left before the answer. */
static void test_left_freezing(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner, other;

    freeze_with_session(fixture, &owner, &other);
    id = fake_agent_take(&fixture->agent, FREEZE);
    peer_clear(&owner);
    world_settle(&fixture->world);
    fake_agent_return(&fixture->agent, id, "2");
    world_settle(&fixture->world);
    assert_thawed_behind(fixture, &other);
}

/* ---- Leases ---------------------------------------------------------------------------------- */

/* At its end the guest is thawed from here; the next thaw is told once that its freeze was no more.
 */
static void test_lease(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 200);
    thaw_from_here(fixture);
    assert_heard(&owner, "\"data\": {\"state\": \"thawed\", \"reason\": \"lease\"}");
    core_send(fixture, &owner, THAW);
    assert_heard(&owner, "\"GenericError\", \"desc\": \"The freeze by unix:");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* The agent went away meanwhile and nothing told so, as on isa-serial: a thaw that it was sent
 * would be waited for in vain. So it is found first, and then thaws. */
static void test_lease_unseen(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    fake_agent_take_probe(&fixture->agent, "guest-sync-delimited");
    world_pass_ms(&fixture->world, LIMIT_SYNC_FIRST_MS);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

static void test_renewed(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner, "{\"execute\":\"qga-proxy-freeze-renew\"}");
    core_expect(&owner, GENERIC("Nothing is frozen"));
    peer_clear(&owner);
    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    core_send(fixture, &owner,
              "{\"execute\":\"qga-proxy-freeze-renew\",\"arguments\":{\"seconds\":1000}}");
    core_expect(&owner, "{\"return\": {}}\r\n");
    world_pass_ms(&fixture->world, 999 * 1000);
    peer_expect(&fixture->agent, "");
    core_send(fixture, &owner, "{\"execute\":\"qga-proxy-freeze-renew\"}");
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS - 100);
    peer_expect(&fixture->agent, "");
    world_pass_ms(&fixture->world, 200);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

static void test_no_lease(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    core_set_freeze_lease(fixture->core, 0);
    freeze_by(fixture, &owner);
    world_pass_ms(&fixture->world, 10000 * LIMIT_FREEZE_LEASE_SECONDS);
    peer_expect(&fixture->agent, "");
    assert_freeze(fixture, "frozen");
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "2");
    peer_clear(&owner);
}

/* ---- Doubts ---------------------------------------------------------------------------------- */

/* No answer to a freeze: it may have happened, so it is undone. */
static void test_freeze_unanswered(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner;

    core_connect_negotiated(fixture, &owner, FALSE);
    core_send(fixture, &owner,
              "{\"execute\":\"qga-proxy-session-set\",\"arguments\":"
              "{\"timeout\":5}}" FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    world_pass_ms(&fixture->world, 5100);
    assert_heard(&owner,
                 "did not answer within 5 s; guest-fsfreeze-freeze was sent and its outcome is "
                 "unknown");
    assert_freeze(fixture, "thawing");
    fake_agent_return(&fixture->agent, id, "2"); /* late, and nobody's */
    thaw_from_here(fixture);
    peer_clear(&owner);
}

/* Nor to a thaw, nor does the status say so: again and again, once a second. */
static void test_thaw_unanswered(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &owner, THAW);
    id = fake_agent_take(&fixture->agent, THAW);
    world_pass_ms(&fixture->world, 1000 * LIMIT_SECONDS_THAW + 100);
    assert_heard(&owner, "guest-fsfreeze-thaw was sent and its outcome is unknown");
    sync_agent(fixture);
    for (guint i = 0; i < 5; i++) {
        agent_does(fixture, THAW, "0");
        agent_does(fixture, STATUS, "\"frozen\"");
        if (i == 0)
            agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
        peer_expect(&fixture->agent, "");
        assert_freeze(fixture, "thawing");
        world_pass_ms(&fixture->world, LIMIT_THAW_PAUSE_MS + 20);
    }
    agent_does(fixture, THAW, "2");
    agent_does(fixture, STATUS, "\"thawed\"");
    assert_freeze(fixture, "thawed");
    /* it was asked for: nobody is told that it happened behind his back */
    core_send(fixture, &owner, THAW);
    agent_does(fixture, THAW, "0");
    assert_heard(&owner, "{\"return\": 0}");
    peer_clear(&owner);
}

/* The agent went away with the thaw under way, and comes back: the guest's filesystems are as they
 * were. */
static void test_agent_restarts(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &owner, THAW);
    peer_clear(&fixture->agent);
    fixture->agent = (Peer){0};
    world_settle(&fixture->world);
    assert_freeze(fixture, "thawing");
    core_accept_agent(fixture);
    thaw_from_here(fixture);
    peer_clear(&owner);
}

/* Whoever answers behind a doubt may be another, of a guest that was booted meanwhile. */
static void test_found_thawed(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &fixture->agent, "]");
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"frozen\"");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{}");
    assert_freeze(fixture, "frozen");
    core_send(fixture, &fixture->agent, "]");
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"thawed\"");
    assert_freeze(fixture, "thawed");
    core_send(fixture, &owner, THAW);
    assert_heard(&owner, "the guest was reset or thawed itself");
    peer_clear(&owner);
}

/* Nothing of it is left after a reset. */
static void test_reset(CoreFixture *fixture, gconstpointer unused)
{
    Peer owner;

    freeze_by(fixture, &owner);
    core_send(fixture, &fixture->qemu, EVENT("RESET"));
    assert_freeze(fixture, "thawed");
    core_send(fixture, &owner, THAW);
    assert_heard(&owner, "the guest was reset or thawed itself");
    peer_clear(&owner);
}

/* The agent refuses: somebody has frozen it by another way. That gets a lease too. */
static void test_refused(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *refusal = NULL;
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    id = fake_agent_take(&fixture->agent, FREEZE);
    refusal = g_strdup_printf("{\"id\": %s, \"error\": {\"class\": \"CommandNotFound\", \"desc\": "
                              "\"Command x has been disabled\"}}\n",
                              id);
    core_send(fixture, &fixture->agent, refusal);
    assert_heard(&client, "Command x has been disabled");
    agent_does(fixture, STATUS, "\"frozen\"");
    assert_freeze(fixture, "frozen");
    world_pass_ms(&fixture->world, 1000 * LIMIT_FREEZE_LEASE_SECONDS + 100);
    thaw_from_here(fixture);
    peer_clear(&client);
}

/* There was nothing to freeze: nothing is frozen then. */
static void test_nothing_frozen(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    agent_does(fixture, FREEZE, "0");
    assert_freeze(fixture, "thawed");
    core_expect(&client, "{\"return\": 0}\r\n");
    peer_clear(&client);
}

/* What a thaw that was late might undo is not begun before the stream is known to be in step. */
static void test_fresh_sync(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    freeze_by(fixture, &client);
    core_send(fixture, &client, THAW);
    agent_does(fixture, THAW, "2");
    core_send(fixture, &client, FREEZE);
    sync_agent(fixture);
    agent_does(fixture, FREEZE, "2");
    assert_freeze(fixture, "frozen");
    peer_clear(&client);
}

/* That holds where the last thaw itself waited for a sync: there is none since it was sent. */
static void test_fresh_sync_behind_thaw(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    freeze_by(fixture, &client);
    core_send(fixture, &fixture->agent, "]");
    core_send(fixture, &client, THAW);
    sync_agent(fixture);
    agent_does(fixture, STATUS, "\"frozen\"");
    agent_does(fixture, THAW, "2");
    agent_does(fixture, "{\"execute\":\"guest-info\"}", "{\"supported_commands\": []}");
    assert_freeze(fixture, "thawed");
    core_send(fixture, &client, FREEZE);
    sync_agent(fixture);
    agent_does(fixture, FREEZE, "2");
    assert_freeze(fixture, "frozen");
    peer_clear(&client);
}

/* ---- Across proxies -------------------------------------------------------------------------- */

static void use_record(CoreFixture *fixture)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(core_set_state_directory(fixture->core, fixture->folder, "vm", &error));
    g_assert_no_error(error);
}

/* The record is written by a thread, for which the loop is turned until something comes. */
static void wait_for_agent(CoreFixture *fixture)
{
    while (!peer_read(&fixture->agent))
        g_main_context_iteration(fixture->world.context, TRUE);
}

/* It is on record before it is sent, and no longer than it lasts. */
static void test_recorded(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *file = g_build_filename(fixture->folder, "vm-vm.frozen", NULL);
    Peer client;

    use_record(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    wait_for_agent(fixture);
    g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
    agent_does(fixture, FREEZE, "2");
    core_send(fixture, &client, THAW);
    agent_does(fixture, THAW, "2");
    while (g_file_test(file, G_FILE_TEST_EXISTS))
        g_usleep(100);
    peer_clear(&client);
}

/* A proxy was killed with the guest frozen: the next one thaws it, before anything else. */
static void test_found(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *file = g_build_filename(fixture->folder, "vm-vm.frozen", NULL);
    g_autoptr(GError) error = NULL;
    Peer client;

    g_assert_true(g_file_set_contents(file, "by somebody\n", -1, &error));
    use_record(fixture);
    core_start_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    core_answer_start(fixture, TRUE);
    core_connect_negotiated(fixture, &client, FALSE);
    thaw_from_here(fixture);
    assert_thaws(fixture, 1);
    core_send(fixture, &client, THAW);
    assert_heard(&client, "the proxy was started anew");
    while (g_file_test(file, G_FILE_TEST_EXISTS))
        g_usleep(100);
    peer_clear(&client);
}

/* A former proxy knew the way to the agent, this one does not: the record stays for one that does.
 */
static void test_found_without_agent(CoreFixture *fixture, gconstpointer unused)
{
    static const CoreOps ops = {NULL};
    const Address monitor = {.kind = ADDRESS_UNIX, .path = fixture->monitor};
    g_autofree char *file = g_build_filename(fixture->folder, "vm-vm.frozen", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(file, "by somebody\n", -1, &error));
    core_free(fixture->core);
    fixture->core = core_new(fixture->world.context, &monitor, NULL, NULL, &ops, NULL, &error);
    g_assert_no_error(error);
    use_record(fixture);
    core_start(fixture->core);
    fixture->listening[0] = sockets_listen_unix(fixture->monitor, 1);
    core_accept_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    core_send(fixture, &fixture->qemu, EVENT("RESET"));
    g_assert_no_errno(g_unlink(file));
}

/* Nobody would be there to thaw it. */
static void test_qemu_goes_meanwhile(CoreFixture *fixture, gconstpointer unused)
{
    Peer client;

    use_record(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    peer_send(&client, FREEZE);
    peer_close(&fixture->qemu); /* in the same turn: the record cannot be done in between */
    world_settle(&fixture->world);
    assert_heard(&client, "QEMU has gone; the freeze was not sent");
    peer_expect(&fixture->agent, "");
    peer_clear(&client);
}

/* A disk that is full: no freeze that could be forgotten. */
static void test_no_record(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *folder = g_build_filename(fixture->folder, "state", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *came = NULL;
    Peer client;

    g_assert_no_errno(g_mkdir(folder, 0700));
    g_assert_true(core_set_state_directory(fixture->core, folder, "vm", &error));
    g_assert_no_errno(g_rmdir(folder));
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    while (!peer_read(&client))
        g_main_context_iteration(fixture->world.context, TRUE);
    came = heard(&client, "The freeze cannot be put on record, and was not sent");
    g_assert_cmpstr(came, !=, "");
    assert_freeze(fixture, "thawed");
    peer_expect(&fixture->agent, "");
    peer_clear(&client);
}

#define ADD(path, set_up, function) \
    g_test_add(path, CoreFixture, NULL, set_up, function, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-freeze/owned", set_up, test_owned);
    ADD("/core-freeze/second-while-freezing", set_up, test_second_while_freezing);
    ADD("/core-freeze/owner-leaves", set_up, test_owner_leaves);
    ADD("/core-freeze/thaw-on-disconnect", set_up, test_thaw_on_disconnect);
    ADD("/core-freeze/left-freezing", set_up, test_left_freezing);
    ADD("/core-freeze/lease", set_up, test_lease);
    ADD("/core-freeze/lease-unseen", set_up, test_lease_unseen);
    ADD("/core-freeze/renewed", set_up, test_renewed);
    ADD("/core-freeze/no-lease", set_up, test_no_lease);
    ADD("/core-freeze/freeze-unanswered", set_up, test_freeze_unanswered);
    ADD("/core-freeze/thaw-unanswered", set_up, test_thaw_unanswered);
    ADD("/core-freeze/agent-restarts", set_up, test_agent_restarts);
    ADD("/core-freeze/found-thawed", set_up, test_found_thawed);
    ADD("/core-freeze/reset", set_up, test_reset);
    ADD("/core-freeze/refused", set_up, test_refused);
    ADD("/core-freeze/nothing-frozen", set_up, test_nothing_frozen);
    ADD("/core-freeze/fresh-sync", set_up, test_fresh_sync);
    ADD("/core-freeze/fresh-sync-behind-thaw", set_up, test_fresh_sync_behind_thaw);
    ADD("/core-freeze/recorded", set_up, test_recorded);
    ADD("/core-freeze/found", core_set_up_alone, test_found);
    ADD("/core-freeze/found-without-agent", core_set_up_new, test_found_without_agent);
    ADD("/core-freeze/qemu-goes-meanwhile", set_up, test_qemu_goes_meanwhile);
    ADD("/core-freeze/no-record", set_up, test_no_record);
    return g_test_run();
}
