/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/agent.h"

#include "agent/commands/capabilities.h"
#include "agent/commands/exec.h"
#include "agent/commands/file.h"
#include "agent/dispatch.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"
#include "common/stream.h"

struct Agent {
    Commands commands;
    Dispatch dispatch;
    Channel *channel;
    Stream stream;
    gboolean open;   /* there is a connection, and a stream on it */
    gboolean ending; /* the peer sends no more */

    void (*answered)(void); /* (nullable): for the first time, is to be called */

    guint quit_timer;
    void (*quit)(gpointer user);
    gpointer quit_user;
};

static const JsonScanLimits scan_limits = {
    .bytes = LIMIT_JSON_BYTES,
    .tokens = LIMIT_JSON_TOKENS,
    .nesting = LIMIT_JSON_NESTING,
};

/* A reply is queued whole before the mark is looked at, and all calls that are under way then may
 * still come: as many of the largest results as a host may ask for, and ids beside them. It is
 * there already; to refuse it would free no memory, and lose what the others are owed. */
static const QueueLimits queue_limits = {
    .low = LIMIT_AGENT_OUTPUT_HIGH / 4,
    .high = LIMIT_AGENT_OUTPUT_HIGH,
    .hard = LIMIT_AGENT_OUTPUT_HIGH + (LIMIT_AGENT_PIPELINE + 2) * LIMIT_JSON_BYTES,
};

static void disconnect(Agent *agent)
{
    if (!agent->open)
        return;
    agent->open = FALSE;
    agent->ending = FALSE;
    dispatch_reset(&agent->dispatch);
    stream_clear(&agent->stream);
}

static void disconnect_for(Agent *agent, GError *error)
{
    g_message("connection lost: %s", error->message);
    g_error_free(error);
    disconnect(agent);
}

static gboolean is_blocked(const Agent *agent)
{
    return dispatch_is_busy(&agent->dispatch) || queue_is_high(&agent->stream.queue);
}

static void answer_fault(Agent *agent)
{
    g_autofree char *text = stream_fault_text(&agent->stream);
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) reply = g_string_new(NULL);

    dispatch_reset(&agent->dispatch);
    qmp_error_set(&error, "%s", text);
    message_error(reply, MESSAGE_AGENT, error, JSON_SPAN_NONE);
    if (!stream_send(&agent->stream, reply->str, reply->len))
        disconnect(agent);
}

/* Returns: whether there may be more to do */
static gboolean step(Agent *agent)
{
    JsonSpan message;

    switch (stream_next(&agent->stream, &message)) {
    case STREAM_MESSAGE: dispatch_request(&agent->dispatch, message); return agent->open;
    case STREAM_FAULT: answer_fault(agent); return agent->open;
    case STREAM_END: agent->ending = TRUE; return FALSE;
    case STREAM_NO_ROOM: /* not without a charge */
    case STREAM_IDLE: return FALSE;
    }
    g_assert_not_reached();
}

/* Nothing more comes, and nothing more is owed, or nobody is there to take it. */
static gboolean is_over(const Agent *agent)
{
    if (!agent->ending)
        return FALSE;
    if (!channel_may_linger(agent->channel))
        return TRUE;
    return !dispatch_is_owing(&agent->dispatch) && queue_length(&agent->stream.queue) == 0;
}

static void flush(Agent *agent)
{
    GError *error = NULL;

    if (agent->open && queue_length(&agent->stream.queue) > 0 &&
        !stream_flush(&agent->stream, &error))
        disconnect_for(agent, error);
}

/* As far as the peer takes them: what waits of a large reply is a part of it. */
static void send_parts(Agent *agent)
{
    while (agent->open && queue_is_low(&agent->stream.queue) && dispatch_pull(&agent->dispatch))
        flush(agent);
}

/* Answers what was read, as far as the peer takes the answers. */
static void advance(Agent *agent)
{
    gboolean dry = FALSE;

    while (agent->open && !dry && !is_blocked(agent)) {
        while (agent->open && !dry && !is_blocked(agent))
            dry = !step(agent);
        flush(agent);
    }
    send_parts(agent);
    if (is_over(agent))
        disconnect(agent);
    else if (agent->open)
        stream_pause(&agent->stream, is_blocked(agent));
}

/* What runs from now on has run before. */
static void tell_first_answer(Agent *agent)
{
    void (*answered)(void) = agent->answered;

    if (answered == NULL || !agent->open || stream_bytes_written(&agent->stream) == 0)
        return;
    agent->answered = NULL;
    answered();
}

/* ---- What the parts call --------------------------------------------------------------------- */

static void on_opened(gpointer user)
{
    Agent *agent = user;

    agent->open = TRUE;
    stream_init(&agent->stream, &channel_io, agent->channel, &scan_limits, &queue_limits, NULL);
}

static gboolean on_ready(gpointer user)
{
    Agent *agent = user;
    GError *error = NULL;

    dispatch_note(&agent->dispatch);
    flush(agent);
    if (!agent->open)
        return TRUE;
    if (!is_blocked(agent) && !agent->ending && !stream_fill(&agent->stream, &error)) {
        disconnect_for(agent, error);
        return TRUE;
    }
    advance(agent);
    tell_first_answer(agent);
    return dispatch_note(&agent->dispatch);
}

/* A call that is under way goes on, and so will what was sent behind it, unanswered. */
static void on_left(gpointer user)
{
    Agent *agent = user;
    GError *error = NULL;

    g_debug("the host has left");
    while (!agent->stream.ended) {
        if (!stream_fill(&agent->stream, &error)) {
            disconnect_for(agent, error);
            return;
        }
    }
    on_ready(agent);
}

static const ChannelCallbacks channel_callbacks = {on_opened, on_ready, on_left};

static void on_reply(gpointer user, const char *text, gsize len)
{
    Agent *agent = user;
    GError *error = NULL;

    if (!agent->open)
        return;
    if (!stream_has_more(&agent->stream)) {
        if (!stream_send_now(&agent->stream, text, len, &error))
            disconnect_for(agent, error);
    } else if (!stream_send(&agent->stream, text, len)) {
        disconnect(agent);
    }
}

static void on_reply_bytes(gpointer user, GBytes *bytes)
{
    Agent *agent = user;

    if (agent->open && !stream_send_bytes(&agent->stream, bytes))
        disconnect(agent);
}

static void on_idle(gpointer user)
{
    advance(user);
}

static void on_plain(gpointer user)
{
    Agent *agent = user;

    capabilities_drop(&agent->commands);
}

static const DispatchCallbacks dispatch_callbacks = {
    .reply = on_reply,
    .reply_bytes = on_reply_bytes,
    .parts = on_idle,
    .idle = on_idle,
    .plain = on_plain,
};

/* ---- Life ------------------------------------------------------------------------------------ */

Agent *agent_new(const AgentOptions *options)
{
    Agent *agent = g_new(Agent, 1);

    *agent = (Agent){
        .commands =
            {
                .system = system_get(),
                .policy = options->policy,
                .state = options->state,
                .files = files_new(),
                .programs = programs_new(LIMIT_EXEC_HOLD_MS),
            },
    };
    agent->commands.thawed = options->thawed;
    agent->commands.thawed_user = options->user;
    agent->answered = options->answered;
    agent->commands.freezer = freezer_new(&agent->commands, &options->freezer);
    dispatch_init(&agent->dispatch, &agent->commands, &dispatch_callbacks, agent);
    return agent;
}

gboolean agent_open(Agent *agent, const ChannelAddress *address, GError **error)
{
    agent->channel = channel_new(address, &channel_callbacks, agent, error);
    return agent->channel != NULL;
}

void agent_free(Agent *agent)
{
    if (agent == NULL)
        return;
    g_clear_handle_id(&agent->quit_timer, g_source_remove);
    disconnect(agent);
    channel_free(agent->channel);
    dispatch_clear(&agent->dispatch);
    freezer_free(agent->commands.freezer);
    programs_free(agent->commands.programs);
    files_free(agent->commands.files);
    g_free(agent);
}

gboolean agent_is_working(const Agent *agent)
{
    return dispatch_is_working(&agent->dispatch);
}

static void finish_quit(Agent *agent)
{
    void (*quit)(gpointer user) = g_steal_pointer(&agent->quit);

    g_clear_handle_id(&agent->quit_timer, g_source_remove);
    if (quit != NULL)
        quit(agent->quit_user);
}

static void on_released(gpointer user)
{
    finish_quit(user);
}

static gboolean on_quit_time_up(gpointer user_data)
{
    Agent *agent = user_data;

    agent->quit_timer = 0;
    finish_quit(agent);
    return G_SOURCE_REMOVE;
}

void agent_quit(Agent *agent, void (*done)(gpointer user), gpointer user)
{
    if (agent->quit_timer != 0)
        return;
    agent->quit = done;
    agent->quit_user = user;
    agent->quit_timer = g_timeout_add(AGENT_QUIT_MS, on_quit_time_up, agent);
    freezer_release(agent->commands.freezer, on_released, agent);
}
