/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A guest with two agents, which are killed, started, put to sleep and woken in any order, with
 * what they have not read still to be carried out: no command comes twice, each is answered once,
 * whoever is told that a freeze lasted until its thaw is told the truth, and in the end the guest
 * is thawed.
 */

#include "core-channels-fixture.h"

#include <string.h>

#include "common/json-read.h"
#include "common/limits.h"

enum { SEEDS = 6, STEPS = 500, AGENTS = 2, CALM_STEPS = 20 };

/* An agent as qemu-ga: of freezes it knows its own, by a mark that outlives it. */
typedef struct {
    Peer *peer;
    GString *unread;
    gboolean open;
    gboolean asleep;
    gboolean marked;
} Agent;

typedef struct {
    ChannelsFixture fixture;
    GRand *random;
    Agent agents[AGENTS];
    gboolean frozen;   /* the guest's filesystems */
    GHashTable *seen;  /* handles of commands that an agent was sent */
    const char *asked; /* (nullable): what the client waits for */
    guint number;      /* of that */
    gboolean owns;     /* the client's freeze was done, and it was told nothing else since */
    gboolean broken;   /* and has been ended since, by whatever */
    guint switches;    /* times that another channel was in use than before */
    guint used;
    guint thaws; /* of the client's, that were true */
} Run;

static guint choose(Run *run, guint count)
{
    return (guint)g_rand_int_range(run->random, 0, (gint32)count);
}

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

/* ---- The guest ------------------------------------------------------------------------------- */

static const char *thaw(Run *run, Agent *agent)
{
    const char *count = run->frozen ? "2" : "0";

    if (run->frozen && g_strcmp0(run->asked, "guest-fsfreeze-thaw") != 0)
        run->broken = TRUE;
    run->frozen = FALSE;
    agent->marked = FALSE;
    return count;
}

/* Returns: (nullable): what it returns; NULL where it refuses, being frozen */
static const char *carry_out(Run *run, Agent *agent, const char *command)
{
    if (strstr(command, "guest-fsfreeze-thaw"))
        return thaw(run, agent);
    if (strstr(command, "guest-fsfreeze-status"))
        return agent->marked ? "\"frozen\"" : "\"thawed\"";
    if (strstr(command, "guest-info"))
        return INFO;
    if (agent->marked)
        return NULL;
    if (!strstr(command, "guest-fsfreeze-freeze"))
        return "{}";
    agent->marked = TRUE;
    run->frozen = TRUE;
    return "2";
}

static void note_seen(Run *run, const char *command)
{
    JsonSpan arguments = json_read_get(span(command), "arguments");
    gint64 handle;

    if (strstr(command, "guest-file-close") &&
        json_read_int64(json_read_get(arguments, "handle"), &handle))
        g_assert_true(g_hash_table_add(run->seen, GINT_TO_POINTER((int)handle)));
}

static void answer(Run *run, Agent *agent, const char *line)
{
    const char *command = strchr(line, '{');
    gint64 token;
    JsonSpan id;
    const char *value;
    g_autofree char *number = NULL;

    if (!command)
        return;
    if (strstr(command, "guest-sync-delimited")) {
        g_assert_true(json_read_int64(
            json_read_get(json_read_get(span(command), "arguments"), "id"), &token));
        fake_agent_answer_probe(agent->peer, token);
        return;
    }
    id = json_read_get(span(command), "id");
    number = g_strndup(id.text, id.len);
    note_seen(run, command);
    value = carry_out(run, agent, command);
    if (value) {
        fake_agent_return(agent->peer, number, value);
    } else {
        g_autofree char *text = g_strdup_printf(
            "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"frozen\"}, \"id\": %s}\n",
            number);

        peer_send(agent->peer, text);
    }
}

/* All that it was sent, those before it included. */
static void run_agent(Run *run, Agent *agent)
{
    g_autofree char *came = peer_take(agent->peer);
    g_auto(GStrv) lines = NULL;

    g_string_append(agent->unread, came);
    if (!agent->open || agent->asleep)
        return;
    lines = g_strsplit(agent->unread->str, "\n", -1);
    g_string_truncate(agent->unread, 0);
    for (guint i = 0; lines[i]; i++)
        answer(run, agent, lines[i]);
}

/* ---- The client ------------------------------------------------------------------------------ */

static void send_command(Run *run, const char *name)
{
    g_autofree char *text = NULL;

    run->asked = name;
    run->number++;
    text = g_str_equal(name, "guest-file-close")
               ? g_strdup_printf("{\"execute\":\"%s\",\"arguments\":{\"handle\":%u},\"id\":%u}",
                                 name, run->number, run->number)
               : g_strdup_printf("{\"execute\":\"%s\",\"id\":%u}", name, run->number);
    peer_send(&run->fixture.client, text);
}

static void ask_something(Run *run)
{
    static const char *const names[] = {
        "guest-file-close",    "guest-file-close",    "guest-fsfreeze-freeze",
        "guest-fsfreeze-thaw", "guest-fsfreeze-thaw", "guest-fsfreeze-status",
    };

    if (!run->asked)
        send_command(run, names[choose(run, G_N_ELEMENTS(names))]);
}

static void hear_value(Run *run, JsonSpan value)
{
    if (g_str_equal(run->asked, "guest-fsfreeze-freeze")) {
        g_assert_true(run->frozen);
        run->owns = TRUE;
        run->broken = FALSE;
    } else if (g_str_equal(run->asked, "guest-fsfreeze-thaw")) {
        g_assert_false(run->owns && run->broken);
        g_assert_false(run->frozen);
        run->thaws += run->owns;
        run->owns = FALSE;
    } else if (g_str_equal(run->asked, "guest-fsfreeze-status") && run->owns && !run->broken) {
        g_assert_true(json_read_is(value, "frozen"));
    }
}

static void hear(Run *run, const char *line)
{
    gint64 id;
    JsonSpan value;

    if (line[0] == '\0' || strstr(line, "\"event\": "))
        return;
    g_assert_nonnull(run->asked);
    g_assert_true(json_read_int64(json_read_get(span(line), "id"), &id));
    g_assert_cmpint(id, ==, run->number);
    value = json_read_get(span(line), "return");
    if (value.text)
        hear_value(run, value);
    else if (g_str_equal(run->asked, "guest-fsfreeze-thaw"))
        run->owns = FALSE; /* it is told that all is not well */
    run->asked = NULL;
}

static void hear_all(Run *run)
{
    g_autofree char *came = peer_take(&run->fixture.client);
    g_auto(GStrv) lines = g_strsplit(came, "\r\n", -1);

    for (guint i = 0; lines[i]; i++)
        hear(run, lines[i]);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void settle(Run *run)
{
    world_settle(&run->fixture.base.world);
    channels_serve_qemu(&run->fixture, run->agents[0].open, run->agents[1].open);
    hear_all(run);
}

static void count_switches(Run *run)
{
    g_autofree char *status = core_status(run->fixture.base.core, FALSE);
    guint used = strstr(status, "\"channel\": 1,") ? 1 : 0;

    run->switches += used != run->used;
    run->used = used;
}

static gboolean is_said_thawed(const Run *run)
{
    g_autofree char *status = core_status(run->fixture.base.core, FALSE);

    return strstr(status, "\"freeze\": {\"state\": \"thawed\"") != NULL;
}

static void set_open(Run *run, guint number, gboolean open)
{
    Agent *agent = &run->agents[number];

    if (open == agent->open)
        return;
    agent->open = open;
    agent->asleep = FALSE;
    channels_change_port(&run->fixture, number, open);
}

/* It is killed, and what it had not read is read by the next one, or lost with it. */
static void toggle(Run *run, guint number)
{
    Agent *agent = &run->agents[number];

    run_agent(run, &(Agent){agent->peer, agent->unread, FALSE, FALSE, FALSE}); /* reads no more */
    if (agent->open && choose(run, 4) == 0)
        g_string_truncate(agent->unread, 0);
    set_open(run, number, !agent->open);
}

/* Both agents are well for some time; then a guest that is said to be thawed is. */
static void calm_down(Run *run)
{
    for (guint i = 0; i < AGENTS; i++) {
        set_open(run, i, TRUE);
        run->agents[i].asleep = FALSE;
    }
    for (guint i = 0; i < AGENTS * CALM_STEPS; i++) {
        run_agent(run, &run->agents[i % AGENTS]);
        settle(run);
        world_pass_ms(&run->fixture.base.world, 100);
        settle(run);
    }
    if (is_said_thawed(run))
        g_assert_false(run->frozen);
}

/* The agent in use goes with a freeze or a thaw that it may still carry out when it is back. */
static void leave_owing(Run *run)
{
    if (run->asked)
        return;
    send_command(run, choose(run, 2) == 0 ? "guest-fsfreeze-freeze" : "guest-fsfreeze-thaw");
    settle(run);
    if (run->agents[run->used].open)
        toggle(run, run->used);
}

static void do_step(Run *run)
{
    guint number = choose(run, AGENTS);

    switch (choose(run, 40)) {
    case 0: toggle(run, number); break;
    case 13: leave_owing(run); break;
    case 14:
        if (choose(run, 5) == 0)
            calm_down(run);
        break;
    case 1: run->agents[number].asleep = !run->agents[number].asleep; break;
    case 2: world_pass_ms(&run->fixture.base.world, choose(run, 12000)); break;
    case 3: core_hand_over(&run->fixture.base); break;
    case 4:
    case 5:
    case 6:
    case 7: world_pass_ms(&run->fixture.base.world, choose(run, 300)); break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12: ask_something(run); break;
    default: run_agent(run, &run->agents[number]); break;
    }
    settle(run);
    count_switches(run);
}

/* Until nothing is left to be done. */
static void finish(Run *run)
{
    gint64 until_us =
        run->fixture.base.world.now_us + (LIMIT_FREEZE_LEASE_SECONDS + 60) * G_USEC_PER_SEC;

    while (run->fixture.base.world.now_us < until_us)
        calm_down(run);
    g_assert_null(run->asked);
    g_assert_true(is_said_thawed(run));
}

static void begin(Run *run, guint seed)
{
    *run = (Run){.random = g_rand_new_with_seed(seed)};
    run->seen = g_hash_table_new(NULL, NULL);
    channels_set_up(&run->fixture, NULL);
    for (guint i = 0; i < AGENTS; i++)
        run->agents[i] = (Agent){.peer = i == 0 ? &run->fixture.base.agent : &run->fixture.second,
                                 .unread = g_string_new(NULL),
                                 .open = TRUE};
    settle(run);
}

static void end(Run *run)
{
    for (guint i = 0; i < AGENTS; i++)
        g_string_free(run->agents[i].unread, TRUE);
    channels_tear_down(&run->fixture, NULL);
    g_hash_table_unref(run->seen);
    g_rand_free(run->random);
}

static void test_random(void)
{
    guint switches = 0;
    guint thaws = 0;

    for (guint seed = 0; seed < SEEDS; seed++) {
        Run run;

        g_test_message("seed %u", seed);
        begin(&run, seed);
        for (guint i = 0; i < STEPS; i++)
            do_step(&run);
        finish(&run);
        switches += run.switches;
        thaws += run.thaws;
        end(&run);
    }
    /* What was to be seen was there to be seen. */
    g_test_message("%u changes of channel, %u freezes that lasted", switches, thaws);
    g_assert_cmpuint(switches, >, SEEDS);
    g_assert_cmpuint(thaws, >, SEEDS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/core-channels-random/random", test_random);
    return g_test_run();
}
