/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core-handover-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_closed(gpointer owner, const char *why)
{
    CoreFixture *fixture = owner;

    g_string_append_printf(fixture->closed, "%s\n", why);
}

/* ---- Taking over ----------------------------------------------------------------------------- */

/* What execve(2) does to the original of each descriptor that was duplicated: it is not there any
 * more, and whatever its owner still does is heard by nobody. */
static void take_away_originals(GUnixFDList *descriptors)
{
    int null = g_open("/dev/null", O_RDWR | O_CLOEXEC);
    int count;
    const int *duplicates = g_unix_fd_list_peek_fds(descriptors, &count);

    for (int i = 0; i < count; i++) {
        struct stat wanted, found;

        g_assert_no_errno(fstat(duplicates[i], &wanted));
        for (int fd = 3; fd < 256; fd++)
            if (fd != duplicates[i] && fstat(fd, &found) == 0 && found.st_ino == wanted.st_ino &&
                found.st_dev == wanted.st_dev)
                g_assert_no_errno(dup2(null, fd));
    }
    close(null);
}

/* In its place, the former core removes no path. */
static void end_former(CoreFixture *fixture)
{
    g_autofree char *aside = g_strconcat(fixture->socket, "-aside", NULL);

    g_assert_no_errno(g_rename(fixture->socket, aside));
    core_free(fixture->core);
    g_assert_no_errno(g_rename(aside, fixture->socket));
    io_loop_unref(fixture->world.loop);
    g_main_context_unref(fixture->world.context);
    fixture->world.context = g_main_context_new();
    fixture->world.loop = io_loop_get(fixture->world.context);
    io_loop_set_time(fixture->world.loop, fixture->world.now_us);
}

Core *core_new_successor(CoreFixture *fixture, const CoreState *state, GError **error)
{
    static const CoreOps ops = {on_closed};
    const Address monitor = {.kind = ADDRESS_UNIX, .path = fixture->monitor};
    const Address channel = {.kind = ADDRESS_UNIX, .path = fixture->channel};

    return core_new(fixture->world.context, &monitor, fixture->channel ? &channel : NULL, state,
                    &ops, fixture, error);
}

void core_begin_hand_over(CoreFixture *fixture, CoreStateChange change)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) saved = core_save(fixture->core, descriptors, &error);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GVariant) state = NULL;

    g_assert_no_error(error);
    bytes = g_variant_get_data_as_bytes(saved);
    state = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
    if (change) {
        g_autoptr(GVariant) former = state;

        state = g_variant_ref_sink(change(former));
    }
    take_away_originals(descriptors);
    end_former(fixture);
    fixture->core = core_new_successor(fixture, &(CoreState){state, descriptors}, &error);
    g_assert_no_error(error);
}

void core_end_hand_over(CoreFixture *fixture)
{
    core_listen(fixture, fixture->socket, FALSE);
    core_start(fixture->core);
    world_settle(&fixture->world);
}

void core_hand_over(CoreFixture *fixture)
{
    core_begin_hand_over(fixture, NULL);
    core_add_second(fixture);
    core_end_hand_over(fixture);
}

/* ---- A QEMU and an agent that answer by themselves ------------------------------------------- */

static void answer_qemu(CoreFixture *fixture, const char *sent)
{
    g_autofree char *chardevs = core_chardevs(fixture, TRUE);
    const struct {
        const char *command;
        const char *reply;
    } known[] = {
        {"{\"execute\":\"query-name\"}", NAMED},
        {"{\"execute\":\"query-status\"}", "{\"return\": {\"running\": true}}\r\n"},
        {"{\"execute\":\"query-chardev\"}", chardevs},
        {"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral\"}}",
         "{\"return\": [{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}]}\r\n"},
        {"{\"execute\":\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral-anon\"}}",
         NOTHING},
        {"{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/machine/peripheral/port0\","
         "\"property\":\"chardev\"}}",
         "{\"return\": \"qga0\"}\r\n"},
    };

    for (const char *at = sent; *at;) {
        gsize i = 0;

        while (i < G_N_ELEMENTS(known) && !g_str_has_prefix(at, known[i].command))
            i++;
        if (i == G_N_ELEMENTS(known))
            g_error("QEMU was sent '%s'", at);
        at += strlen(known[i].command);
        peer_send(&fixture->qemu, known[i].reply);
    }
}

/* @line: {"execute":…,"id":N} or a sync, with what stands in front of it */
static void answer_agent(CoreFixture *fixture, const char *line)
{
    const char *id = strstr(line, "\"id\":");
    g_autofree char *number = NULL;

    if (line[0] == '\0')
        return;
    g_assert_nonnull(id);
    id += strlen("\"id\":");
    number = g_strndup(id, strspn(id, "0123456789"));
    if (strstr(line, "guest-sync-delimited"))
        fake_agent_answer_probe(&fixture->agent, g_ascii_strtoll(number, NULL, 10));
    else
        fake_agent_return(&fixture->agent, number,
                          strstr(line, "guest-info")        ? INFO
                          : strstr(line, "fsfreeze-status") ? "\"thawed\""
                                                            : "{}");
}

/* Until all is quiet. */
void core_serve(CoreFixture *fixture)
{
    gboolean busy = TRUE;

    while (busy) {
        g_autofree char *to_qemu = NULL;
        g_autofree char *to_agent = NULL;
        g_auto(GStrv) lines = NULL;

        world_settle(&fixture->world);
        to_qemu = peer_take(&fixture->qemu);
        to_agent = peer_take(&fixture->agent);
        lines = g_strsplit(to_agent, "\n", -1);
        answer_qemu(fixture, to_qemu);
        for (guint i = 0; lines[i]; i++)
            answer_agent(fixture, lines[i]);
        busy = to_qemu[0] != '\0' || to_agent[0] != '\0';
    }
}
