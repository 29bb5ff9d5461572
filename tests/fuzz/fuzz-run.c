/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-run: see fuzz-run.h.
 */

#include "fuzz-run.h"

#include "common/limits.h"
#include "fuzz.h"
#include "memory-record.h"

#include <string.h>

static const char *const monitor_paths[] = {"monitor0", "monitor1"};

FuzzClient *fuzz_run_client(FuzzRun *run, guint how)
{
    return run->clients[how % FUZZ_CLIENTS];
}

FuzzQemu *fuzz_run_qemu(FuzzRun *run, guint how)
{
    return run->qemus[how % run->stage.monitors];
}

/* ---- Turning --------------------------------------------------------------------------------- */

static void add_client(FuzzRun *run, guint number, MemoryLine *line)
{
    line->read_max = run->setup.read_max;
    run->clients[number] =
        fuzz_client_new(&run->stage, line, run->stage.tight ? 4096 : LIMIT_CLIENT_REQUEST_BYTES);
}

static void meet_qemu(FuzzRun *run, guint number, MemoryLine *line)
{
    line->read_max = run->setup.read_max;
    fuzz_qemu_connect(run->qemus[number], line);
}

static void accept_all(FuzzRun *run)
{
    MemoryLine *line;

    for (guint i = 0; i < run->stage.monitors; i++)
        if ((line = memory_net_accept(monitor_paths[i])))
            meet_qemu(run, i, line);
    while ((line = memory_net_accept("client"))) { /* it may have been closed and dialled again */
        add_client(run, FUZZ_CLIENTS - 1, line);
        run->clients[FUZZ_CLIENTS - 1]->pretty = TRUE;
    }
    if (run->agent && (line = memory_net_accept("agent"))) {
        fuzz_agent_connect(run->agent, line);
        line->read_max = run->setup.read_max;
    }
}

/* What the proxy has lost is let go before the next is taken. */
static void look(FuzzRun *run)
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
    memory_record_turn();
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        if (run->clients[i] && run->clients[i]->gone)
            run->clients[i] = NULL;
    accept_all(run);
}

void fuzz_run_settle(FuzzRun *run)
{
    memory_io_settle();
    look(run);
}

void fuzz_run_pass_ms(FuzzRun *run, guint64 ms)
{
    fuzz_run_settle(run);
    if (run->agent)
        fuzz_agent_wait(run->agent);
    memory_io_pass_ms(ms);
    look(run);
}

void fuzz_run_serve(FuzzRun *run)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_serve(run->qemus[i]);
    if (run->agent)
        fuzz_agent_serve(run->agent);
    fuzz_run_settle(run);
}

/* ---- Comings --------------------------------------------------------------------------------- */

void fuzz_run_connect(FuzzRun *run, guint how)
{
    gint64 user = (how + how / 2) % FUZZ_CLIENTS;
    MemoryLine *line;

    if (fuzz_run_client(run, how))
        return;
    if (run->setup.dialled && how % FUZZ_CLIENTS == FUZZ_CLIENTS - 1)
        memory_net_open("client", TRUE);
    else if ((line = memory_net_connect("clients", !run->setup.tcp, user)))
        add_client(run, how % FUZZ_CLIENTS, line);
}

void fuzz_run_negotiate(FuzzRun *run, guint how)
{
    static const char *const texts[] = {
        "{\"execute\":\"qmp_capabilities\"}",
        "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"};
    FuzzClient *client = fuzz_run_client(run, how);
    const char *text = texts[how >> 1 & 1];

    if (client)
        fuzz_client_say(client, text, strlen(text), -1);
}

void fuzz_run_qemu_comes(FuzzRun *run, guint how)
{
    FuzzQemu *qemu = fuzz_run_qemu(run, how);
    MemoryLine *line;

    if (run->setup.monitor != FUZZ_MONITOR_COMES)
        memory_net_open(monitor_paths[qemu->number], TRUE);
    else if (!qemu->line && (line = memory_net_connect(monitor_paths[qemu->number], TRUE, -1)))
        meet_qemu(run, qemu->number, line);
}

void fuzz_run_qemu_closes(FuzzRun *run, guint how)
{
    memory_net_open(monitor_paths[how % run->stage.monitors], FALSE);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void on_closed(gpointer owner, const char *unused_why)
{
    FuzzRun *run = owner;

    run->closed++;
}

static void set_limits(FuzzRun *run)
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

static void add_dialled(FuzzRun *run)
{
    Address client = {
        .kind = ADDRESS_UNIX, .path = (char *)"client", .reconnect = 1, .pretty = TRUE};
    g_autoptr(GError) error = NULL;

    g_assert_true(core_add_listener(run->core, &client, &error));
}

/* The first address is that of a monitor, dialled, inherited or listened on. */
static void make_core(FuzzRun *run)
{
    static const CoreOps ops = {on_closed};
    const gboolean comes = run->setup.monitor == FUZZ_MONITOR_COMES;
    Address monitor = {.kind = ADDRESS_UNIX, .path = (char *)monitor_paths[0], .server = comes};
    const Address second = {
        .kind = ADDRESS_UNIX, .path = (char *)monitor_paths[1], .server = comes};
    const Address agent = {.kind = ADDRESS_UNIX, .path = (char *)"agent"};
    const Address clients = {.kind = ADDRESS_UNIX, .path = (char *)"clients", .server = TRUE};
    g_autoptr(GError) error = NULL;
    int fd;

    if (run->setup.monitor == FUZZ_MONITOR_INHERITED) {
        monitor.kind = ADDRESS_FD;
        meet_qemu(run, 0, memory_net_inherit(&fd));
        monitor.number = (guint32)fd;
    }
    run->core = core_new(NULL, &monitor, run->agent ? &agent : NULL, NULL, &ops, run, &error);
    g_assert_no_error(error);
    if (run->setup.two_monitors)
        g_assert_true(core_add_monitor(run->core, &second, &error));
    g_assert_true(core_add_listener(run->core, &clients, &error));
    if (run->setup.dialled)
        add_dialled(run);
    if (run->setup.record)
        g_assert_true(core_set_state_directory(run->core, "state", run->setup.record, &error));
    core_set_persist(run->core, run->setup.persist);
    if (run->agent)
        g_assert_true(core_set_agent_cache(run->core, "guest-get-users=20", &error));
    if (run->setup.tight)
        set_limits(run);
}

void fuzz_run_begin(FuzzRun *run, const FuzzSetup *setup)
{
    *run = (FuzzRun){.setup = *setup};
    memory_io_begin();
    stage_init(&run->stage);
    run->stage.persist = setup->persist;
    run->stage.tight = setup->tight;
    run->stage.records = setup->record != NULL;
    run->stage.monitors = setup->two_monitors ? 2 : 1;
    run->stage.offers_oob = !setup->no_oob;
    run->agent = setup->no_agent ? NULL : fuzz_agent_new(&run->stage);
    for (guint i = 0; i < run->stage.monitors; i++) {
        run->qemus[i] = fuzz_qemu_new(&run->stage, i);
        run->qemus[i]->port_named = !setup->unnamed;
    }
    make_core(run);
    core_start(run->core);
    fuzz_run_settle(run);
}

void fuzz_run_warm_up(FuzzRun *run, gboolean oob)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_run_qemu_comes(run, i);
    memory_net_open("agent", TRUE);
    fuzz_run_pass_ms(run, 1000);
    for (guint i = 0; i < 5; i++)
        fuzz_run_serve(run);
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        fuzz_run_connect(run, i);
    fuzz_run_pass_ms(run, 1000);
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        fuzz_run_negotiate(run, i + (oob ? 2 : 0));
    fuzz_run_settle(run);
}

/* ---- End ------------------------------------------------------------------------------------- */

static void let_all_read(FuzzRun *run)
{
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        if (run->clients[i])
            run->clients[i]->line->room = G_MAXSIZE;
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_qemu_set_room(run->qemus[i], G_MAXSIZE);
    if (run->agent)
        fuzz_agent_set_room(run->agent, G_MAXSIZE);
    fuzz_run_settle(run);
}

/* Who has said nothing wrong goes on, the others come anew. */
static void make_honest(FuzzRun *run)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        if (!fuzz_qemu_is_honest(run->qemus[i]))
            fuzz_qemu_leave(run->qemus[i], FALSE);
    if (run->agent && !fuzz_agent_is_honest(run->agent))
        fuzz_agent_leave(run->agent, FALSE);
    fuzz_run_settle(run);
    for (guint i = 0; i < run->stage.monitors; i++)
        fuzz_run_qemu_comes(run, i);
    memory_net_open("agent", TRUE);
    fuzz_run_pass_ms(run, 1000);
}

/* A machine that was paused runs again, and a guest that slept is there: until then, commands for
 * it wait. */
static void resume(FuzzRun *run)
{
    static const char text[] =
        "{\"timestamp\": {\"seconds\": 0, \"microseconds\": 0}, \"event\": \"RESUME\"}\r\n"
        "{\"timestamp\": {\"seconds\": 0, \"microseconds\": 0}, \"event\": \"RESET\"}\r\n";

    for (guint i = 0; i < run->stage.monitors; i++)
        if (run->qemus[i]->ready)
            fuzz_qemu_say(run->qemus[i], text, sizeof text - 1);
    fuzz_run_settle(run);
}

static gboolean does_wait(const FuzzRun *run)
{
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        if (run->clients[i] && run->clients[i]->greeted && fuzz_client_waits(run->clients[i]))
            return TRUE;
    return FALSE;
}

/* Everybody answers from here on: so everybody is answered, or gone. */
static void check_all_answered(FuzzRun *run)
{
    let_all_read(run);
    make_honest(run);
    for (guint i = 0; i < 6; i++)
        fuzz_run_serve(run);
    resume(run);
    for (guint i = 0; i < 400 && does_wait(run); i++) { /* a freeze takes 600 s */
        fuzz_run_serve(run);
        fuzz_run_pass_ms(run, i < 10 ? 500 : 5000);
    }
    if (does_wait(run))
        fuzz_fail("a client waits for its answer for ever");
    fuzz_run_pass_ms(run, 3000);
    if (run->closed > 1)
        fuzz_fail("the proxy ended twice");
    if (run->stage.lost && !run->stage.persist && run->stage.monitors == 1 && run->closed == 0)
        fuzz_fail("QEMU has gone, and the proxy stays");
}

static gboolean is_asked(const FuzzRun *run)
{
    for (guint i = 0; i < run->stage.monitors; i++)
        if (run->qemus[i]->in_band.length > 0)
            return TRUE;
    return FALSE;
}

static void check_nothing_held(FuzzRun *run)
{
    g_autofree char *status = NULL;
    gboolean all_ready = TRUE;

    memory_net_open("client", FALSE);
    for (guint i = 0; i < FUZZ_CLIENTS; i++)
        if (run->clients[i])
            run->clients[i]->line->shut = run->clients[i]->line->left = TRUE;
    fuzz_run_settle(run);
    for (guint i = 0; i == 0 || (i < 100 && is_asked(run)); i++) /* closefd, a few at once */
        fuzz_run_serve(run);
    for (guint i = 0; i < run->stage.monitors; i++)
        all_ready &= fuzz_qemu_is_honest(run->qemus[i]) && run->qemus[i]->ready;
    status = core_status(run->core, FALSE);
    if (!strstr(status, "\"clients\": 0,") || !strstr(status, "\"memory\": 0,") ||
        (all_ready && !strstr(status, "\"descriptor-names\": 0,")))
        fuzz_fail("nobody is there, and something is held: %s", status);
}

void fuzz_run_end(FuzzRun *run, gboolean abruptly)
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
