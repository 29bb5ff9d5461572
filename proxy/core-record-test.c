/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is on record of a freeze: it is there before the freeze is sent, the next proxy thaws what
 * it tells of, and it goes with the freeze, or with the guest.
 */

#include "core-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "support/sockets.h"

#define FREEZE "{\"execute\":\"guest-fsfreeze-freeze\"}"
#define THAW   "{\"execute\":\"guest-fsfreeze-thaw\"}"

/* An agent whose commands are all enabled. */
static void set_up(CoreFixture *fixture, gconstpointer unused)
{
    core_set_up_met(fixture, unused);
    core_answer_start(fixture, TRUE);
    core_meet_agent(fixture, "{\"version\": \"1\", \"supported_commands\": []}");
}

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
    core_agent_answer(fixture, "guest-fsfreeze-freeze", "2");
    core_send(fixture, &client, THAW);
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "2");
    while (g_file_test(file, G_FILE_TEST_EXISTS))
        g_usleep(100);
    peer_clear(&client);
}

/* Returns: (transfer full): the file that a former proxy has left */
static char *start_with_record(CoreFixture *fixture)
{
    char *file = g_build_filename(fixture->folder, "vm-vm.frozen", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(file, "by somebody\n", -1, &error));
    use_record(fixture);
    core_start_qemu(fixture);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    core_answer_start(fixture, TRUE);
    return file;
}

/* A proxy was killed with the guest frozen: the next one thaws it, before anything else. */
static void test_found(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *file = start_with_record(fixture);
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "2");
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-info", "{}");
    core_assert_freeze(fixture, "thawed\", \"thaws\": 1}, \"clients");
    core_send(fixture, &client, THAW);
    core_assert_heard(&client, "the proxy was started anew");
    while (g_file_test(file, G_FILE_TEST_EXISTS))
        g_usleep(100);
    peer_clear(&client);
}

/* Who thaws before the agent has answered is told that, once; the next thaw goes to the agent. */
static void test_found_is_told_once(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *file = start_with_record(fixture);
    Peer client;

    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, THAW);
    core_assert_heard(&client, "the proxy was started anew");
    core_send(fixture, &client, THAW);
    core_expect(&client, "");
    fake_agent_sync(&fixture->agent, &fixture->world);
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "2");
    core_agent_answer(fixture, "guest-fsfreeze-status", "\"thawed\"");
    core_agent_answer(fixture, "guest-fsfreeze-thaw", "0");
    core_assert_heard(&client, "{\"return\": 0}");
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
    core_assert_heard(&client, "QEMU has gone; the freeze was not sent");
    peer_expect(&fixture->agent, "");
    peer_clear(&client);
}

static void freeze_on_record(CoreFixture *fixture)
{
    Peer client;

    use_record(fixture);
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    wait_for_agent(fixture);
    core_agent_answer(fixture, "guest-fsfreeze-freeze", "2");
    peer_clear(&client);
    world_settle(&fixture->world);
}

/* The record is erased by a thread, which has ended when the proxy was freed. */
static void assert_left_on_record(CoreFixture *fixture, gboolean left)
{
    g_autofree char *file = g_build_filename(fixture->folder, "vm-vm.frozen", NULL);

    core_free(g_steal_pointer(&fixture->core));
    g_assert_cmpint(g_unlink(file) == 0, ==, left);
}

/* QEMU ends: the guest is no more, and the next machine of its name is another. */
static void test_qemu_ends(CoreFixture *fixture, gconstpointer unused)
{
    freeze_on_record(fixture);
    peer_close(&fixture->qemu);
    world_pass_ms(&fixture->world, LIMIT_PARTING_MS / 2);
    g_assert_cmpstr(fixture->closed->str, ==, "");
    peer_close(&fixture->agent);
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->closed->str, !=, "");
    assert_left_on_record(fixture, FALSE);
}

/* The same where the channel is closed first. */
static void test_qemu_ends_channel_first(CoreFixture *fixture, gconstpointer unused)
{
    freeze_on_record(fixture);
    peer_close(&fixture->agent);
    world_settle(&fixture->world);
    peer_close(&fixture->qemu);
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->closed->str, !=, "");
    assert_left_on_record(fixture, FALSE);
}

/* The monitor alone was lost: the guest may run on, frozen, and the next proxy has to know. */
static void test_monitor_ends(CoreFixture *fixture, gconstpointer unused)
{
    freeze_on_record(fixture);
    peer_close(&fixture->qemu);
    world_pass_ms(&fixture->world, LIMIT_PARTING_MS + 20);
    g_assert_cmpstr(fixture->closed->str, !=, "");
    assert_left_on_record(fixture, TRUE);
}

/* And where the channel had been lost long before, nothing is known of QEMU's end. */
static void test_monitor_ends_later(CoreFixture *fixture, gconstpointer unused)
{
    freeze_on_record(fixture);
    close(fixture->listening[1]);
    fixture->listening[1] = -1;
    peer_close(&fixture->agent);
    world_pass_ms(&fixture->world, LIMIT_PARTING_MS + 20);
    peer_close(&fixture->qemu);
    world_pass_ms(&fixture->world, LIMIT_PARTING_MS + 20);
    g_assert_cmpstr(fixture->closed->str, !=, "");
    assert_left_on_record(fixture, TRUE);
}

/* A disk that is full: no freeze that could be forgotten. */
static void test_no_record(CoreFixture *fixture, gconstpointer unused)
{
    g_autofree char *folder = g_build_filename(fixture->folder, "state", NULL);
    g_autoptr(GError) error = NULL;
    Peer client;

    g_assert_no_errno(g_mkdir(folder, 0700));
    g_assert_true(core_set_state_directory(fixture->core, folder, "vm", &error));
    g_assert_no_errno(g_rmdir(folder));
    core_connect_negotiated(fixture, &client, FALSE);
    core_send(fixture, &client, FREEZE);
    while (!peer_read(&client))
        g_main_context_iteration(fixture->world.context, TRUE);
    core_assert_heard(&client, "The freeze cannot be put on record, and was not sent");
    core_assert_freeze(fixture, "thawed");
    peer_expect(&fixture->agent, "");
    peer_clear(&client);
}

#define ADD(path, set_up, function) \
    g_test_add(path, CoreFixture, NULL, set_up, function, core_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/core-record/recorded", set_up, test_recorded);
    ADD("/core-record/found", core_set_up_alone, test_found);
    ADD("/core-record/found-is-told-once", core_set_up_alone, test_found_is_told_once);
    ADD("/core-record/found-without-agent", core_set_up_new, test_found_without_agent);
    ADD("/core-record/qemu-goes-meanwhile", set_up, test_qemu_goes_meanwhile);
    ADD("/core-record/qemu-ends", set_up, test_qemu_ends);
    ADD("/core-record/qemu-ends-channel-first", set_up, test_qemu_ends_channel_first);
    ADD("/core-record/monitor-ends", set_up, test_monitor_ends);
    ADD("/core-record/monitor-ends-later", set_up, test_monitor_ends_later);
    ADD("/core-record/no-record", set_up, test_no_record);
    return g_test_run();
}
