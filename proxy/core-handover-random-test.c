/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * At any moment, again and again: what clients get is what they get from a proxy that is never
 * replaced. Clients' input, QEMU's and the agent's answers come in pieces that are cut anywhere, in
 * any order, and the proxy is handed over between them.
 */

#include "core-handover-fixture.h"

#include <string.h>

#include "common/json-read.h"

enum { SEEDS = 30, CLIENTS = 11, STEPS = 400, COMMANDS = 12, PIECE = 80 };

/* Some of the clients are others than the rest, which ask QEMU one thing after another. */
enum { GUEST_USER = 0, FIRST_OOB_USER = 8 };

typedef struct {
    CoreFixture core;
    GRand *random; /* of the order of steps */
    Peer clients[CLIENTS];
    GString *scripts[CLIENTS]; /* what each has still to send */
    GString *heard[CLIENTS];
    GString *qemu[2]; /* what came and is no whole command yet, and what it has still to send */
    GString *agent[2];
} Run;

static guint choose(GRand *random, guint count)
{
    return (guint)g_rand_int_range(random, 0, (gint32)count);
}

/* ---- What clients send ----------------------------------------------------------------------- */

/* Each answer says to which command it belongs. */
static void append_qemu(GString *script, guint client, guint number, gboolean oob)
{
    g_string_append_printf(script,
                           "{\"%s\":\"qom-get\",\"arguments\":{\"path\":\"/c%u/%u\",\"property\":"
                           "\"p\"},\"id\":[%u,%u]}",
                           oob ? "exec-oob" : "execute", client, number, client, number);
}

static void append_guest(GString *script, guint number, guint kind, gboolean *frozen)
{
    const char *command = *frozen ? "guest-fsfreeze-thaw" : "guest-fsfreeze-freeze";

    if (kind == 0) {
        g_string_append_printf(script, "{\"execute\":\"%s\",\"id\":%u}", command, number);
        *frozen = !*frozen;
    } else {
        g_string_append_printf(
            script, "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":%u},\"id\":\"%u\"}", number,
            number);
    }
}

static GString *write_script(GRand *random, guint client)
{
    GString *script = g_string_new(NULL);
    gboolean frozen = FALSE;

    for (guint i = 0; i < COMMANDS; i++) {
        guint kind = choose(random, 8);

        if (kind == 7)
            g_string_append(script, "[\"x\" -{\"execute\":\"quit\"}]\n");
        else if (kind == 6)
            g_string_append(script, "{\"execute\":\"qga-proxy-session-set\",\"arguments\":{},"
                                    "\"id\":\"set\"}");
        else if (client == GUEST_USER && kind < 4)
            append_guest(script, i, kind, &frozen);
        else
            append_qemu(script, client, i, client >= FIRST_OOB_USER && kind % 2);
    }
    return script;
}

/* ---- QEMU and the agent ---------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the first whole object of @from, which is taken off it */
static char *take_object(GString *from)
{
    guint depth = 0;

    for (gsize i = 0; i < from->len; i++) {
        depth += from->str[i] == '{' || from->str[i] == '[';
        if (from->str[i] != '}' && from->str[i] != ']')
            continue;
        if (--depth == 0) {
            const char *begin = memchr(from->str, '{', i);
            char *object = g_strndup(begin, (gsize)(from->str + i + 1 - begin));

            g_string_erase(from, 0, (gssize)i + 1);
            return object;
        }
    }
    return NULL;
}

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void answer_qemu(Run *run, const char *command)
{
    JsonSpan id = json_read_get(span(command), "id");
    JsonSpan path = json_read_get(json_read_get(span(command), "arguments"), "path");
    g_autofree char *chardevs = core_chardevs(&run->core, TRUE);
    GString *out = run->qemu[1];

    g_assert_null(strstr(command, "quit"));
    if (strstr(command, "query-chardev"))
        g_string_append(out, chardevs);
    else if (strstr(command, "query-status"))
        g_string_append(out, "{\"return\": {\"running\": true}}\r\n");
    else if (strstr(command, "/machine/peripheral-anon"))
        g_string_append(out, NOTHING);
    else if (strstr(command, "/machine/peripheral/port0"))
        g_string_append(out, "{\"return\": \"qga0\"}\r\n");
    else if (strstr(command, "/machine/peripheral"))
        g_string_append(
            out, "{\"return\": [{\"name\": \"port0\", \"type\": \"child<virtserialport>\"}]}\r\n");
    else if (id.text)
        g_string_append_printf(out, "{\"return\": %.*s, \"id\": %.*s}\r\n", (int)path.len,
                               path.text, (int)id.len, id.text);
    else
        g_string_append_printf(out, "{\"return\": %.*s}\r\n", (int)path.len, path.text);
}

static void answer_agent(Run *run, const char *command)
{
    JsonSpan id = json_read_get(span(command), "id");
    JsonSpan token = json_read_get(json_read_get(span(command), "arguments"), "id");
    GString *out = run->agent[1];

    if (strstr(command, "guest-sync-delimited")) {
        g_string_append_printf(out, "\xFF{\"return\": %.*s}\n", (int)token.len, token.text);
        return;
    }
    if (strstr(command, "guest-info"))
        g_string_append(out, "{\"return\": " INFO);
    else if (token.text)
        g_string_append_printf(out, "{\"return\": %.*s", (int)token.len, token.text);
    else
        g_string_append(out, "{\"return\": 3");
    g_string_append_printf(out, ", \"id\": %.*s}\n", (int)id.len, id.text);
}

static gboolean listen_to(Run *run, Peer *peer, GString *in, void (*answer)(Run *, const char *))
{
    g_autofree char *came = peer_take(peer);
    char *command;

    g_string_append(in, came);
    while ((command = take_object(in))) {
        answer(run, command);
        g_free(command);
    }
    return came[0] != '\0';
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static gboolean send_piece(Run *run, Peer *peer, GString *from)
{
    gsize len = 1 + choose(run->random, PIECE);

    len = MIN(len, from->len);
    if (from->len == 0)
        return FALSE;
    g_string_erase(from, 0, (gssize)peer_offer(peer, from->str, len));
    return TRUE;
}

static gboolean hear(Run *run, guint client)
{
    g_autofree char *came = peer_take(&run->clients[client]);

    g_string_append(run->heard[client], came);
    return came[0] != '\0';
}

static void do_step(Run *run, gboolean hand_over)
{
    guint client = choose(run->random, CLIENTS);

    switch (choose(run->random, 8)) {
    case 0: (void)listen_to(run, &run->core.qemu, run->qemu[0], answer_qemu); break;
    case 1: (void)listen_to(run, &run->core.agent, run->agent[0], answer_agent); break;
    case 2: (void)send_piece(run, &run->core.qemu, run->qemu[1]); break;
    case 3: (void)send_piece(run, &run->core.agent, run->agent[1]); break;
    case 4: (void)hear(run, client); break;
    case 5:
        if (hand_over && choose(run->random, 2) == 0)
            core_hand_over(&run->core);
        break;
    default: (void)send_piece(run, &run->clients[client], run->scripts[client]); break;
    }
    world_settle(&run->core.world);
}

/* All that is left, until all is quiet. */
static void finish(Run *run)
{
    gboolean busy = TRUE;

    while (busy) {
        busy = listen_to(run, &run->core.qemu, run->qemu[0], answer_qemu);
        busy |= listen_to(run, &run->core.agent, run->agent[0], answer_agent);
        busy |= send_piece(run, &run->core.qemu, run->qemu[1]);
        busy |= send_piece(run, &run->core.agent, run->agent[1]);
        for (guint i = 0; i < CLIENTS; i++) {
            busy |= send_piece(run, &run->clients[i], run->scripts[i]);
            busy |= hear(run, i);
        }
        world_settle(&run->core.world);
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static void begin(Run *run, guint seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);

    *run = (Run){.random = g_rand_new_with_seed(seed + 1)};
    core_set_up_met(&run->core, NULL);
    core_answer_start(&run->core, TRUE);
    core_meet_agent(&run->core, INFO);
    for (guint i = 0; i < 2; i++) {
        run->qemu[i] = g_string_new(NULL);
        run->agent[i] = g_string_new(NULL);
    }
    for (guint i = 0; i < CLIENTS; i++) {
        core_connect_negotiated(&run->core, &run->clients[i], i >= FIRST_OOB_USER);
        run->scripts[i] = write_script(random, i);
        run->heard[i] = g_string_new(NULL);
    }
}

static int compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of one whose answers overtake each other, in the order of the alphabet. Returns: (transfer full)
 */
static char *replies(const GString *heard, gboolean sorted)
{
    g_auto(GStrv) lines = g_strsplit(heard->str, "\r\n", -1);
    g_autoptr(GPtrArray) found = g_ptr_array_new();

    for (guint i = 0; lines[i]; i++)
        if (!strstr(lines[i], "\"event\": "))
            g_ptr_array_add(found, lines[i]);
    if (sorted)
        g_ptr_array_sort(found, compare_lines);
    g_ptr_array_add(found, NULL);
    return g_strjoinv("\n", (char **)found->pdata);
}

static void end(Run *run)
{
    for (guint i = 0; i < 2; i++) {
        g_string_free(run->qemu[i], TRUE);
        g_string_free(run->agent[i], TRUE);
    }
    for (guint i = 0; i < CLIENTS; i++) {
        peer_clear(&run->clients[i]);
        g_string_free(run->scripts[i], TRUE);
        g_string_free(run->heard[i], TRUE);
    }
    world_settle(&run->core.world);
    core_tear_down(&run->core, NULL);
    g_rand_free(run->random);
}

/* Returns: (transfer full): what each client got */
static GPtrArray *run_once(guint seed, gboolean hand_over)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    Run run;

    begin(&run, seed);
    for (guint i = 0; i < STEPS; i++)
        do_step(&run, hand_over);
    finish(&run);
    for (guint i = 0; i < CLIENTS; i++)
        g_ptr_array_add(all, replies(run.heard[i], i >= FIRST_OOB_USER));
    end(&run);
    return all;
}

static void test_random(void)
{
    for (guint seed = 0; seed < SEEDS; seed++) {
        g_autoptr(GPtrArray) wanted = run_once(seed, FALSE);
        g_autoptr(GPtrArray) found = run_once(seed, TRUE);

        g_test_message("seed %u", seed);
        for (guint i = 0; i < CLIENTS; i++)
            g_assert_cmpstr(found->pdata[i], ==, wanted->pdata[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/core-handover-random/random", test_random);
    return g_test_run();
}
