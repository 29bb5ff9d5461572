/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A whole proxy in memory: two clients, one or two monitors of a QEMU, and an agent, who say what
 * the input says.
 *
 * The first bytes of the input say what kind of proxy and peers there are, the rest is a script:
 * each step is a byte that says what happens, and what that takes behind it. Any bytes are a
 * script. Peers answer what they were asked where the script says no more than that, so that
 * short scripts come far; and they say raw bytes where it does.
 *
 * Held, by who listens (fuzz-client.h, fuzz-qemu.h, fuzz-agent.h, ledger.h): commands go up as
 * they came, but for the id, once, and in order; answers and events come down as they were
 * said, but for the id, once, and to who is to have them; the guest is believed nothing but an
 * answer to the command under way; nobody is closed for nothing. And in the end each request was
 * answered, the clients' memory is given back, and nothing is left open.
 */

#include "proxy/core.h"

#include "fuzz-agent.h"
#include "fuzz-client.h"
#include "fuzz-qemu.h"
#include "fuzz.h"

#include "common/limits.h"

#include <string.h>

enum { CLIENTS = 2, MONITORS = 2, MAX_STEPS = 200, MAX_PASS_MS = 700 * 1000 };

typedef struct {
    const guint8 *data;
    gsize size;
    gsize at;
} Script;

typedef struct {
    Script script;
    Stage stage;
    Core *core;
    FuzzClient *clients[CLIENTS]; /* (nullable) */
    FuzzQemu *qemus[MONITORS];    /* the second one (nullable) */
    FuzzAgent *agent;             /* (nullable): there is none */
    gboolean qemu_comes;          /* to us, where we would go to it */
    gboolean local;               /* clients are on this host */
    gboolean dialled;             /* the last client is: by the proxy, and as one that is pretty */
    gsize read_max;
    guint hold; /* steps until something happens of what they are about */
    guint closed;
    gint64 last_fd;
} Run;

static const char *const monitor_paths[] = {"monitor0", "monitor1"};

/* ---- The script ------------------------------------------------------------------------------ */

static gboolean is_over(const Run *run)
{
    return run->script.at >= run->script.size;
}

static guint8 next_byte(Run *run)
{
    return is_over(run) ? 0 : run->script.data[run->script.at++];
}

/* Returns: so many bytes as the next one says */
static const char *next_bytes(Run *run, gsize *ret_len)
{
    gsize len = next_byte(run);
    const char *bytes = (const char *)run->script.data + run->script.at;

    *ret_len = MIN(len, run->script.size - run->script.at);
    run->script.at += *ret_len;
    return bytes;
}

/* ---- Turning --------------------------------------------------------------------------------- */

static void add_client(Run *run, guint number, MemoryLine *line)
{
    line->read_max = run->read_max;
    run->clients[number] =
        fuzz_client_new(&run->stage, line, run->stage.tight ? 4096 : LIMIT_CLIENT_REQUEST_BYTES);
}

static void accept_all(Run *run)
{
    MemoryLine *line;

    for (guint i = 0; i < run->stage.monitors; i++)
        if ((line = memory_io_accept(monitor_paths[i]))) {
            fuzz_qemu_connect(run->qemus[i], line);
            line->read_max = run->read_max;
        }
    while ((line = memory_io_accept("client"))) { /* it may have been closed and dialled again */
        add_client(run, CLIENTS - 1, line);
        run->clients[CLIENTS - 1]->pretty = TRUE;
    }
    if (run->agent && (line = memory_io_accept("agent"))) {
        fuzz_agent_connect(run->agent, line);
        line->read_max = run->read_max;
    }
}

/* What the proxy has lost is let go before the next is taken. */
static void look(Run *run)
{
    run->stage.ledger.turn++;
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_notice(run->qemus[i]);
    for (guint i = 0; i < run->stage.clients->len; i++)
        fuzz_client_hear(run->stage.clients->pdata[i]);
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_hear(run->qemus[i]);
    if (run->agent)
        fuzz_agent_hear(run->agent);
    for (guint i = 0; i < CLIENTS; i++)
        if (run->clients[i] && run->clients[i]->gone)
            run->clients[i] = NULL;
    accept_all(run);
}

static void settle(Run *run)
{
    memory_io_settle();
    look(run);
}

static void pass(Run *run, guint64 ms)
{
    settle(run);
    if (run->agent)
        fuzz_agent_wait(run->agent);
    memory_io_pass_ms(ms);
    look(run);
}

static void serve(Run *run)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_serve(run->qemus[i]);
    if (run->agent)
        fuzz_agent_serve(run->agent);
    settle(run);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static FuzzClient *client_of(Run *run, guint how)
{
    return run->clients[how % CLIENTS];
}

/* Bit 1 of @how: as another user. */
static void connect_client(Run *run, guint how)
{
    MemoryLine *line;

    if (client_of(run, how))
        return;
    if (run->dialled && how % CLIENTS == CLIENTS - 1)
        memory_io_open("client", TRUE);
    else if ((line = memory_io_connect("clients", run->local, (how + how / 2) % CLIENTS)))
        add_client(run, how % CLIENTS, line);
}

static void say_text(FuzzClient *client, const char *text)
{
    fuzz_client_say(client, text, strlen(text), -1);
}

static void negotiate(Run *run, guint how)
{
    FuzzClient *client = client_of(run, how);

    if (client)
        say_text(client, how & 2 ? "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":["
                                   "\"oob\"]}}"
                                 : "{\"execute\":\"qmp_capabilities\"}");
}

/* What a client may ask; %u is another number each time. */
static const struct {
    const char *name;
    const char *arguments;
} commands[] = {
    {"device_add", "{\"driver\":\"x\",\"id\":\"d%u\"}"},
    {"guest-ping", "{\"tag\":%u}"},
    {"guest-exec", "{\"path\": \"/bin/%u\"}"},
    {"guest-fsfreeze-freeze", "{\"tag\":%u}"},
    {"guest-fsfreeze-thaw", "{\"tag\":%u}"},
    {"guest-shutdown", "{\"mode\":\"halt\", \"tag\":%u}"},
    {"guest-suspend-ram", "{\"tag\":%u}"},
    {"guest-file-read", "{\"handle\":%u,\"count\":\"\xc3\xa9\"}"},
    {"guest-sync-delimited", "{\"id\":%u}"},
    {"guest-info", "{}"},
    {"query-status", "{}"},
    {"query-chardev", "{}"},
    {"query-commands", "{}"},
    {"query-qmp-schema", "{}"},
    {"query-commands", "{\"tag\":%u}"},
    {"qga-proxy-status", "{}"},
    {"qga-proxy-other", "{\"tag\":%u}"},
    {"getfd", "{\"fdname\":\"f%u\"}"},
    {"getfd", "{\"fdname\":\"f\"}"},
    {"getfd", "{\"fdname\":\"f\",\"tag\":%u}"},
    {"closefd", "{\"fdname\":\"f\"}"},
    {"add-fd", "{}"},
    {"add-fd", "{\"opaque\":\"%u\"}"},
    {"quit", "{}"},
    {"qmp_capabilities", "{}"},
    {"migrate-pause", "{ \"tag\" : %u , \"a\" : [ 1.0e+1 , 'x\\'\"' , null , {} , [ ] ] }"},
    {"\\u0064evice_del", "{\"id\":\"\\u0000%u\"}"},
};

/* Forms of an id; %u is the same number as in the arguments. */
static const char *const ids[] = {
    NULL,         "%u",   "\"%u\"", "{ \"c\" : %u, 'd':[ ] }", "1.%u0e-1", "'\xc3\xa9\\'%u'",
    "[%u, true]", "null",
};

static char *number_into(const char *form, guint number)
{
    const char *at = strstr(form, "%u");

    return at ? g_strdup_printf("%.*s%u%s", (int)(at - form), form, number, at + 2)
              : g_strdup(form);
}

/* Bits of @form: 0-2 the id, 3 out of band, 4 with a descriptor, 5 the id comes first. @arguments:
 * (nullable): instead of the table's */
static void say_command(Run *run, FuzzClient *client, guint which, guint form,
                        const char *arguments)
{
    guint row = which % G_N_ELEMENTS(commands);
    guint number = ++run->stage.last_said;
    g_autofree char *own = number_into(commands[row].arguments, number);
    g_autofree char *id = ids[form & 7] ? number_into(ids[form & 7], number) : NULL;
    g_autofree char *id_member = id ? g_strdup_printf("\"id\": %s", id) : NULL;
    g_autoptr(GString) text = g_string_new("{");

    if (!client)
        return;
    if (id && form & 32)
        g_string_append_printf(text, "%s, ", id_member);
    g_string_append_printf(text, "\"%s\": \"%s\"", form & 8 ? "exec-oob" : "execute",
                           commands[row].name);
    if (arguments || !g_str_equal(own, "{}") || form & 64)
        g_string_append_printf(text, ", 'arguments' :%s", arguments ? arguments : own);
    if (id && !(form & 32))
        g_string_append_printf(text, ",%s", id_member);
    g_string_append(text, "}\n");
    fuzz_client_say(client, text->str, text->len, form & 16 ? ++run->last_fd : -1);
}

static void step_command(Run *run, guint how)
{
    guint which = next_byte(run);

    say_command(run, client_of(run, how), which, next_byte(run), NULL);
}

static void step_command_raw(Run *run, guint how)
{
    guint which = next_byte(run);
    gsize len;
    const char *bytes = next_bytes(run, &len);
    g_autofree char *value = g_strndup(bytes, len);
    g_autofree char *arguments =
        g_strdup_printf("{\"tag\":%u,\"value\":%s}", ++run->stage.last_said, value);

    say_command(run, client_of(run, how), which, how >> 1, arguments);
}

static void step_client_raw(Run *run, guint how)
{
    FuzzClient *client = client_of(run, how);
    gsize len;
    const char *bytes = next_bytes(run, &len);

    if (client)
        fuzz_client_say(client, bytes, len, how & 2 ? ++run->last_fd : -1);
}

static void step_client_end(Run *run, guint how)
{
    FuzzClient *client = client_of(run, how);

    if (!client)
        return;
    client->line->shut = TRUE;
    client->line->left = (how & 2) != 0;
    client->line->reset = (how & 4) != 0;
}

static gsize next_room(Run *run)
{
    guint8 byte = next_byte(run);

    return byte == 0xFF ? G_MAXSIZE : (gsize)byte * byte;
}

/* It reads all until it has negotiated: what it was told decides how the rest is read. */
static void step_client_room(Run *run, guint how)
{
    FuzzClient *client = client_of(run, how);
    gsize room = next_room(run);

    if (client && client->negotiated)
        fuzz_client_set_room(client, room);
}

/* ---- QEMU ------------------------------------------------------------------------------------ */

static FuzzQemu *qemu_of(Run *run, guint how)
{
    return run->qemus[how % run->stage.monitors];
}

static void qemu_comes(Run *run, guint how)
{
    FuzzQemu *qemu = qemu_of(run, how);
    MemoryLine *line;

    if (!run->qemu_comes)
        memory_io_open(monitor_paths[qemu->number], TRUE);
    else if (!qemu->line && (line = memory_io_connect(monitor_paths[qemu->number], TRUE, -1)))
        fuzz_qemu_connect(qemu, line);
}

static void step_qemu_comes(Run *run, guint how)
{
    qemu_comes(run, how);
    if (how & 2)
        pass(run, 1000);
    if (how & 4)
        fuzz_qemu_greet(qemu_of(run, how));
}

static void step_qemu_goes(Run *run, guint how)
{
    if (how & 4)
        memory_io_open(monitor_paths[how % run->stage.monitors], FALSE);
    fuzz_qemu_leave(qemu_of(run, how), (how & 2) != 0);
}

static void step_qemu_raw(Run *run, guint how)
{
    gsize len;
    const char *bytes = next_bytes(run, &len);

    fuzz_qemu_say(qemu_of(run, how), bytes, len);
}

static void step_qemu_shakes_hands(Run *run, guint how)
{
    fuzz_qemu_shake_hands(qemu_of(run, how));
}

/* Bits: 1 an error, 2 out of band. */
static void step_qemu_answers(Run *run, guint how)
{
    FuzzQemu *qemu = qemu_of(run, how);
    Question *question = g_queue_peek_head(how & 4 ? &qemu->oob : &qemu->in_band);

    if (question)
        fuzz_qemu_answer(qemu, question, how & 2 ? FUZZ_ERROR : FUZZ_RETURN, NULL);
}

static void step_qemu_answers_raw(Run *run, guint how)
{
    FuzzQemu *qemu = qemu_of(run, how);
    Question *question =
        how & 4 ? g_queue_peek_tail(&qemu->oob) : g_queue_peek_head(&qemu->in_band);
    gsize len;
    const char *bytes = next_bytes(run, &len);
    g_autofree char *value = g_strndup(bytes, len);

    if (question)
        fuzz_qemu_answer(qemu, question, FUZZ_RETURN, value);
}

static void step_qemu_room(Run *run, guint how)
{
    fuzz_qemu_set_room(qemu_of(run, how), next_room(run));
}

static void step_event(Run *run, guint how)
{
    static const char *const events[] = {
        "\"STOP\"",
        "\"RESUME\"",
        "\"RESET\", \"data\": {\"guest\": true}",
        "\"SHUTDOWN\"",
        "\"SUSPEND\"",
        "\"WAKEUP\"",
        "\"VSERPORT_CHANGE\", \"data\": {\"open\": false, \"id\": \"port0\"}",
        "\"VSERPORT_CHANGE\", \"data\": {\"open\": true, \"id\": \"port0\"}",
        "\"DEVICE_DELETED\", \"data\":{\"path\":  \"\\u00e9\"}",
    };
    FuzzQemu *qemu = qemu_of(run, how);
    guint which = next_byte(run) % G_N_ELEMENTS(events);
    g_autofree char *text =
        g_strdup_printf("{\"timestamp\": {\"seconds\": %u, \"microseconds\":1}, \"event\": %s}\n",
                        ++run->stage.last_said, events[which]);

    if (strstr(events[which], "open"))
        qemu->port_open = strstr(events[which], "true") != NULL;
    fuzz_qemu_say(qemu, text, strlen(text));
}

static void step_port(Run *run, guint how)
{
    qemu_of(run, how)->port_open = (how & 2) != 0;
    qemu_of(run, how)->port_named = (how & 4) != 0;
}

/* ---- The agent ------------------------------------------------------------------------------- */

static void step_agent_comes(Run *run, guint how)
{
    memory_io_open("agent", TRUE);
    if (how & 2)
        pass(run, 1000);
}

static void step_agent_goes(Run *run, guint how)
{
    if (how & 4)
        memory_io_open("agent", FALSE);
    if (run->agent)
        fuzz_agent_leave(run->agent, (how & 2) != 0);
}

static void step_agent_syncs(Run *run, guint how)
{
    static const char unknown[] = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The "
                                  "command guest-sync-delimited has not been found\"}}\n";

    if (run->agent && how & 2)
        fuzz_agent_say(run->agent, unknown, sizeof unknown - 1);
    else if (run->agent)
        fuzz_agent_sync(run->agent);
}

static void step_agent_answers(Run *run, guint how)
{
    if (run->agent)
        fuzz_agent_answer(run->agent, (FuzzAgentAnswer)how, NULL);
}

static void step_agent_answers_raw(Run *run, guint how)
{
    gsize len;
    const char *bytes = next_bytes(run, &len);
    g_autofree char *value = g_strndup(bytes, len);

    if (run->agent)
        fuzz_agent_answer(run->agent, FUZZ_AGENT_RETURN, value);
}

static void step_agent_raw(Run *run, guint how)
{
    gsize len;
    const char *bytes = next_bytes(run, &len);

    if (run->agent)
        fuzz_agent_say(run->agent, bytes, len);
}

static void step_agent_room(Run *run, guint how)
{
    gsize room = next_room(run);

    if (run->agent)
        fuzz_agent_set_room(run->agent, room);
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void step_pass(Run *run, guint how)
{
    guint64 ms = (guint64)next_byte(run) << (2 * how);

    pass(run, MIN(ms, MAX_PASS_MS));
}

static void step_serve(Run *run, guint how)
{
    for (guint i = 0; i <= how; i++)
        serve(run);
}

static void step_hold(Run *run, guint how)
{
    run->hold = how + 1;
}

static void step_rotate(Run *run, guint how)
{
    memory_io_rotate(how);
}

/* @how: the upper three bits of the step's byte; bit 0 is whose client or monitor */
static void (*const steps[])(Run *run, guint how) = {
    connect_client,
    negotiate,
    step_command,
    step_command_raw,
    step_client_raw,
    step_client_end,
    step_client_room,
    step_qemu_comes,
    step_qemu_goes,
    step_qemu_raw,
    step_qemu_shakes_hands,
    step_qemu_answers,
    step_qemu_answers_raw,
    step_qemu_room,
    step_event,
    step_port,
    step_agent_comes,
    step_agent_goes,
    step_agent_syncs,
    step_agent_answers,
    step_agent_answers_raw,
    step_agent_raw,
    step_agent_room,
    step_pass,
    step_serve,
    step_hold,
    step_rotate,
    step_command,
    step_command,
    step_qemu_answers,
    step_agent_answers,
    step_serve,
};

static void play(Run *run)
{
    for (guint i = 0; i < MAX_STEPS && !is_over(run) && run->closed == 0; i++) {
        guint8 byte = next_byte(run);

        steps[byte % G_N_ELEMENTS(steps)](run, byte / G_N_ELEMENTS(steps));
        if (run->hold > 0)
            run->hold--;
        if (run->hold == 0)
            settle(run);
    }
    settle(run);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void on_closed(gpointer owner, const char *unused_why)
{
    Run *run = owner;

    run->closed++;
}

static void set_limits(Run *run)
{
    static const char *const limits[] = {
        "clients-per-user=1",     "request-bytes=4096",      "qemu-request-bytes=4096",
        "client-bytes=64K",       "total-bytes=64K",         "output-pause-bytes=4096",
        "output-drop-bytes=6000", "commands-per-monitor=2",  "commands-for-agent=2",
        "commands-ahead=2",       "linger-milliseconds=500",
    };
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
        g_assert_true(core_set_limit(run->core, limits[i], &error));
    for (guint i = 0; i < run->stage.monitors; i++)
        run->qemus[i]->bound = 2;
}

static void add_dialled(Run *run)
{
    Address client = {
        .kind = ADDRESS_UNIX, .path = (char *)"client", .reconnect = 1, .pretty = TRUE};
    g_autoptr(GError) error = NULL;

    g_assert_true(core_add_listener(run->core, &client, &error));
}

/* @kind: bits: 0 an inherited descriptor is the monitor, 1 QEMU comes to us */
static void make_core(Run *run, guint kind)
{
    static const CoreOps ops = {on_closed};
    Address monitor = {.kind = ADDRESS_UNIX, .path = (char *)monitor_paths[0]};
    Address agent = {.kind = ADDRESS_UNIX, .path = (char *)"agent"};
    Address clients = {.kind = ADDRESS_UNIX, .path = (char *)"clients", .server = TRUE};
    g_autoptr(GError) error = NULL;
    int fd;

    monitor.server = run->qemu_comes = kind == 2;
    if (kind == 1) {
        monitor.kind = ADDRESS_FD;
        fuzz_qemu_connect(run->qemus[0], memory_io_inherit(&fd));
        monitor.number = (guint32)fd;
    }
    run->core = core_new(NULL, &monitor, run->agent ? &agent : NULL, &ops, run, &error);
    g_assert_no_error(error);
    if (run->stage.monitors > 1) {
        monitor = (Address){
            .kind = ADDRESS_UNIX, .path = (char *)monitor_paths[1], .server = run->qemu_comes};
        g_assert_true(core_add_monitor(run->core, &monitor, &error));
    }
    g_assert_true(core_add_listener(run->core, &clients, &error));
    if (run->dialled)
        add_dialled(run);
    core_set_persist(run->core, run->stage.persist);
    if (run->stage.tight)
        set_limits(run);
}

/* All is there, all have met. */
static void warm_up(Run *run, gboolean oob)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        qemu_comes(run, i);
    memory_io_open("agent", TRUE);
    pass(run, 1000);
    for (guint i = 0; i < 5; i++)
        serve(run);
    for (guint i = 0; i < CLIENTS; i++)
        connect_client(run, i);
    pass(run, 1000);
    for (guint i = 0; i < CLIENTS; i++)
        negotiate(run, i + (oob ? 2 : 0));
    settle(run);
}

/* ---- End ------------------------------------------------------------------------------------- */

static void let_all_read(Run *run)
{
    for (guint i = 0; i < CLIENTS; i++)
        if (run->clients[i])
            run->clients[i]->line->room = G_MAXSIZE;
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_set_room(run->qemus[i], G_MAXSIZE);
    if (run->agent)
        fuzz_agent_set_room(run->agent, G_MAXSIZE);
    settle(run);
}

/* Who has said nothing wrong goes on, the others come anew. */
static void make_honest(Run *run)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        if (!fuzz_qemu_is_honest(run->qemus[i]))
            fuzz_qemu_leave(run->qemus[i], FALSE);
    if (run->agent && !fuzz_agent_is_honest(run->agent))
        fuzz_agent_leave(run->agent, FALSE);
    settle(run);
    for (guint i = 0; i < run->stage.monitors; i++)
        qemu_comes(run, i);
    memory_io_open("agent", TRUE);
    pass(run, 1000);
}

/* A machine that was paused runs again: as long as it is, commands for the guest wait. */
static void resume(Run *run)
{
    static const char text[] =
        "{\"timestamp\": {\"seconds\": 0, \"microseconds\": 0}, \"event\": \"RESUME\"}\r\n";

    for (guint i = 0; i < run->stage.monitors; i++)
        if (run->qemus[i]->ready)
            fuzz_qemu_say(run->qemus[i], text, sizeof text - 1);
    settle(run);
}

static gboolean does_wait(const Run *run)
{
    for (guint i = 0; i < CLIENTS; i++)
        if (run->clients[i] && run->clients[i]->greeted && fuzz_client_waits(run->clients[i]))
            return TRUE;
    return FALSE;
}

/* Everybody answers from here on: so everybody is answered, or gone. */
static void check_all_answered(Run *run)
{
    let_all_read(run);
    make_honest(run);
    for (guint i = 0; i < 6; i++)
        serve(run);
    resume(run);
    for (guint i = 0; i < 100 && does_wait(run); i++) {
        serve(run);
        pass(run, i < 6 ? 500 : 30 * 1000);
    }
    if (does_wait(run))
        fuzz_fail("a client waits for its answer for ever");
    pass(run, 3000);
    if (run->closed > 1)
        fuzz_fail("the proxy ended twice");
    if (run->stage.lost && !run->stage.persist && run->stage.monitors == 1 && run->closed == 0)
        fuzz_fail("QEMU has gone, and the proxy stays");
}

static void check_nothing_held(Run *run)
{
    g_autofree char *status = NULL;
    gboolean all_ready = TRUE;

    memory_io_open("client", FALSE);
    for (guint i = 0; i < CLIENTS; i++)
        if (run->clients[i])
            run->clients[i]->line->shut = run->clients[i]->line->left = TRUE;
    settle(run);
    for (guint i = 0; i < 3; i++)
        serve(run);
    for (guint i = 0; i < run->stage.monitors; i++)
        all_ready &= fuzz_qemu_is_honest(run->qemus[i]) && run->qemus[i]->ready;
    status = core_status(run->core);
    if (!strstr(status, "\"clients\": 0,") || !strstr(status, "\"memory\": 0,") ||
        (all_ready && !strstr(status, "\"descriptor-names\": 0,")))
        fuzz_fail("nobody is there, and something is held: %s", status);
}

static void end(Run *run, gboolean abruptly)
{
    if (!abruptly) {
        check_all_answered(run);
        check_nothing_held(run);
    }
    core_free(run->core);
    memory_io_end();
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_free(run->qemus[i]);
    fuzz_agent_free(run->agent);
    stage_clear(&run->stage);
}

/* ---- One input ------------------------------------------------------------------------------- */

/* FNV-1a: the numbers that nobody can guess are the same each time, and others for each input. */
static guint32 seed_of(const guint8 *data, gsize size)
{
    guint32 hash = 2166136261u;

    for (gsize i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static const gsize read_max[] = {G_MAXSIZE, 1, 2, 7, 100, G_MAXSIZE, G_MAXSIZE, G_MAXSIZE};
    Run run = {.script = {data, size, 0}};
    guint8 proxy = next_byte(&run), peers = next_byte(&run);

    g_random_set_seed(seed_of(data, size));
    memory_io_begin();
    stage_init(&run.stage);
    run.stage.persist = proxy & 1;
    run.stage.tight = (proxy & 2) != 0;
    run.dialled = (proxy & 128) != 0;
    run.stage.monitors = proxy & 4 ? 2 : 1;
    run.stage.offers_oob = !(peers & 1);
    run.local = !(peers & 2);
    run.read_max = read_max[peers >> 5];
    run.agent = proxy & 8 ? NULL : fuzz_agent_new(&run.stage);
    for (guint i = 0; i < run.stage.monitors; i++) {
        run.qemus[i] = fuzz_qemu_new(&run.stage, i);
        run.qemus[i]->port_named = !(peers & 4);
    }
    make_core(&run, proxy >> 4 & 3);
    core_start(run.core);
    settle(&run);
    if (peers & 8)
        warm_up(&run, (peers & 16) != 0);
    play(&run);
    end(&run, (proxy & 64) != 0);
    return 0;
}
