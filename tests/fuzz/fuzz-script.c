/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-script: see fuzz-script.h.
 */

#include "fuzz-script.h"

#include <string.h>

enum { MAX_STEPS = 200, MAX_PASS_MS = 700 * 1000 };

typedef struct {
    FuzzRun *run;
    const guint8 *data;
    gsize size;
    gsize at;
    guint hold; /* steps until something happens of what they are about */
    gint64 last_fd;
} Script;

static gboolean is_over(const Script *script)
{
    return script->at >= script->size;
}

static guint8 next_byte(Script *script)
{
    return is_over(script) ? 0 : script->data[script->at++];
}

/* Returns: so many bytes as the next one says */
static const char *next_bytes(Script *script, gsize *ret_len)
{
    gsize len = next_byte(script);
    const char *bytes = (const char *)script->data + script->at;

    *ret_len = MIN(len, script->size - script->at);
    script->at += *ret_len;
    return bytes;
}

/* ---- Clients --------------------------------------------------------------------------------- */

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
    {"guest-fsfreeze-status", "{}"},
    {"guest-fsfreeze-thaw", "{}"},
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
    {"qga-proxy-session-set", "{\"thaw-on-disconnect\":true,\"timeout\":5}"},
    {"qga-proxy-freeze-renew", "{\"seconds\":20}"},
    {"qga-proxy-wait-agent", "{\"timeout\":30}"},
    {"qga-proxy-wait-agent", "{\"states\":[\"frozen\",\"closed\"]}"},
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
    {"guest-get-osinfo", "{}"},
    {"guest-get-users", "{}"},
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

/* Bits of @form: 0-2 the id, 3 out of band, 4 with a descriptor, 5 the id comes first, 6 arguments
 * are written though they are empty, 7 with a time. @arguments: (nullable): instead of the table's
 */
static void say_command(Script *script, FuzzClient *client, guint which, guint form,
                        const char *arguments)
{
    guint row = which % G_N_ELEMENTS(commands);
    guint number = ++script->run->stage.last_said;
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
    if (form & 128)
        g_string_append(text, ", \"qga-proxy-timeout\": 3");
    if (id && !(form & 32))
        g_string_append_printf(text, ",%s", id_member);
    g_string_append(text, "}\n");
    fuzz_client_say(client, text->str, text->len, form & 16 ? ++script->last_fd : -1);
}

static void step_command(Script *script, guint how)
{
    guint which = next_byte(script);

    say_command(script, fuzz_run_client(script->run, how), which, next_byte(script), NULL);
}

static void step_command_raw(Script *script, guint how)
{
    guint which = next_byte(script);
    gsize len;
    const char *bytes = next_bytes(script, &len);
    g_autofree char *value = g_strndup(bytes, len);
    g_autofree char *arguments =
        g_strdup_printf("{\"tag\":%u,\"value\":%s}", ++script->run->stage.last_said, value);

    say_command(script, fuzz_run_client(script->run, how), which, how >> 1, arguments);
}

static void step_client_raw(Script *script, guint how)
{
    FuzzClient *client = fuzz_run_client(script->run, how);
    gsize len;
    const char *bytes = next_bytes(script, &len);

    if (client)
        fuzz_client_say(client, bytes, len, how & 2 ? ++script->last_fd : -1);
}

static void step_client_end(Script *script, guint how)
{
    FuzzClient *client = fuzz_run_client(script->run, how);

    if (!client)
        return;
    client->line->shut = TRUE;
    client->line->left = (how & 2) != 0;
    client->line->reset = (how & 4) != 0;
}

static gsize next_room(Script *script)
{
    guint8 byte = next_byte(script);

    return byte == 0xFF ? G_MAXSIZE : (gsize)byte * byte;
}

/* It reads all until it has negotiated: what it was told decides how the rest is read. */
static void step_client_room(Script *script, guint how)
{
    FuzzClient *client = fuzz_run_client(script->run, how);
    gsize room = next_room(script);

    if (client && client->negotiated)
        fuzz_client_set_room(client, room);
}

/* ---- QEMU ------------------------------------------------------------------------------------ */

static void step_qemu_comes(Script *script, guint how)
{
    fuzz_run_qemu_comes(script->run, how);
    if (how & 2)
        fuzz_run_pass_ms(script->run, 1000);
    if (how & 4)
        fuzz_qemu_greet(fuzz_run_qemu(script->run, how));
}

static void step_qemu_goes(Script *script, guint how)
{
    if (how & 4)
        fuzz_run_qemu_closes(script->run, how);
    fuzz_qemu_leave(fuzz_run_qemu(script->run, how), (how & 2) != 0);
}

static void step_qemu_raw(Script *script, guint how)
{
    gsize len;
    const char *bytes = next_bytes(script, &len);

    fuzz_qemu_say(fuzz_run_qemu(script->run, how), bytes, len);
}

static void step_qemu_shakes_hands(Script *script, guint how)
{
    fuzz_qemu_shake_hands(fuzz_run_qemu(script->run, how));
}

/* Bits: 1 an error, 2 out of band. */
static void step_qemu_answers(Script *script, guint how)
{
    FuzzQemu *qemu = fuzz_run_qemu(script->run, how);
    Question *question = g_queue_peek_head(how & 4 ? &qemu->oob : &qemu->in_band);

    if (question)
        fuzz_qemu_answer(qemu, question, how & 2 ? FUZZ_ERROR : FUZZ_RETURN, NULL);
}

static void step_qemu_answers_raw(Script *script, guint how)
{
    FuzzQemu *qemu = fuzz_run_qemu(script->run, how);
    Question *question =
        how & 4 ? g_queue_peek_tail(&qemu->oob) : g_queue_peek_head(&qemu->in_band);
    gsize len;
    const char *bytes = next_bytes(script, &len);
    g_autofree char *value = g_strndup(bytes, len);

    if (question)
        fuzz_qemu_answer(qemu, question, FUZZ_RETURN, value);
}

static void step_qemu_room(Script *script, guint how)
{
    fuzz_qemu_set_room(fuzz_run_qemu(script->run, how), next_room(script));
}

static void step_event(Script *script, guint how)
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
    FuzzQemu *qemu = fuzz_run_qemu(script->run, how);
    guint which = next_byte(script) % G_N_ELEMENTS(events);
    g_autofree char *text =
        g_strdup_printf("{\"timestamp\": {\"seconds\": %u, \"microseconds\":1}, \"event\": %s}\n",
                        ++script->run->stage.last_said, events[which]);

    if (strstr(events[which], "open"))
        qemu->port_open = strstr(events[which], "true") != NULL;
    fuzz_qemu_say(qemu, text, strlen(text));
}

static void step_port(Script *script, guint how)
{
    fuzz_run_qemu(script->run, how)->port_open = (how & 2) != 0;
    fuzz_run_qemu(script->run, how)->port_named = (how & 4) != 0;
}

/* ---- The agent ------------------------------------------------------------------------------- */

static void step_agent_comes(Script *script, guint how)
{
    memory_net_open("agent", TRUE);
    if (how & 2)
        fuzz_run_pass_ms(script->run, 1000);
}

static void step_agent_goes(Script *script, guint how)
{
    if (how & 4)
        memory_net_open("agent", FALSE);
    if (script->run->agent)
        fuzz_agent_leave(script->run->agent, (how & 2) != 0);
}

static void step_agent_syncs(Script *script, guint how)
{
    static const char unknown[] = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The "
                                  "command guest-sync-delimited has not been found\"}}\n";

    if (script->run->agent && how & 2)
        fuzz_agent_say(script->run->agent, unknown, sizeof unknown - 1);
    else if (script->run->agent)
        fuzz_agent_sync(script->run->agent);
}

static void step_agent_answers(Script *script, guint how)
{
    if (script->run->agent)
        fuzz_agent_answer(script->run->agent, (FuzzAgentAnswer)how, NULL);
}

static void step_agent_answers_raw(Script *script, guint how)
{
    gsize len;
    const char *bytes = next_bytes(script, &len);
    g_autofree char *value = g_strndup(bytes, len);

    if (script->run->agent)
        fuzz_agent_answer(script->run->agent, FUZZ_AGENT_RETURN, value);
}

static void step_agent_raw(Script *script, guint how)
{
    gsize len;
    const char *bytes = next_bytes(script, &len);

    if (script->run->agent)
        fuzz_agent_say(script->run->agent, bytes, len);
}

static void step_agent_room(Script *script, guint how)
{
    gsize room = next_room(script);

    if (script->run->agent)
        fuzz_agent_set_room(script->run->agent, room);
}

/* ---- The rest -------------------------------------------------------------------------------- */

static void step_pass(Script *script, guint how)
{
    guint64 ms = (guint64)next_byte(script) << (2 * how);

    fuzz_run_pass_ms(script->run, MIN(ms, MAX_PASS_MS));
}

static void step_serve(Script *script, guint how)
{
    for (guint i = 0; i <= how; i++)
        fuzz_run_serve(script->run);
}

static void step_hold(Script *script, guint how)
{
    script->hold = how + 1;
}

static void step_rotate(Script *script, guint how)
{
    memory_io_rotate(how);
}

static void step_connect(Script *script, guint how)
{
    fuzz_run_connect(script->run, how);
}

static void step_negotiate(Script *script, guint how)
{
    fuzz_run_negotiate(script->run, how);
}

/* @how: the upper three bits of the step's byte; bit 0 is whose client or monitor */
static void (*const steps[])(Script *script, guint how) = {
    step_connect,
    step_negotiate,
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

void fuzz_script_play(FuzzRun *run, const guint8 *data, gsize size)
{
    Script script = {.run = run, .data = data, .size = size};

    for (guint i = 0; i < MAX_STEPS && !is_over(&script) && run->closed == 0; i++) {
        guint8 byte = next_byte(&script);

        steps[byte % G_N_ELEMENTS(steps)](&script, byte / G_N_ELEMENTS(steps));
        if (script.hold > 0)
            script.hold--;
        if (script.hold == 0)
            fuzz_run_settle(run);
    }
    fuzz_run_settle(run);
}
