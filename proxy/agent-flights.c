/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-flights.h"

#include "common/qmp-error.h"

void agent_flights_init(AgentFlights *flights, const Bounds *bounds)
{
    *flights = (AgentFlights){
        .bounds = bounds,
        .under_way = G_QUEUE_INIT,
        .landing = G_QUEUE_INIT,
    };
}

/* ---- Sending --------------------------------------------------------------------------------- */

typedef struct {
    const Bounds *bounds;
    gint64 now_us;
} Clock;

static guint64 class_seconds(const Bounds *bounds, const Pending *pending)
{
    const guint64 seconds[] = {
        [GUEST_CLASS_QUICK] = bounds->quick_seconds,
        [GUEST_CLASS_SLOW] = bounds->slow_seconds,
        [GUEST_CLASS_FREEZE] = bounds->freeze_seconds,
        [GUEST_CLASS_THAW] = bounds->thaw_seconds,
        [GUEST_CLASS_SHUTDOWN] = bounds->shutdown_seconds,
    };

    return seconds[pending_class(pending)];
}

static void start_clock(Pending *pending, gpointer data)
{
    const Clock *clock = data;

    pending->sent_us = clock->now_us;
    if (pending->seconds == 0)
        pending->seconds = (guint)class_seconds(clock->bounds, pending);
    pending->deadline_us = clock->now_us + (gint64)pending->seconds * G_USEC_PER_SEC;
}

AgentFlight *agent_flights_begin(AgentFlights *flights, AgentQuestion *question, gboolean with_id,
                                 guint64 bytes_read, gint64 now_us)
{
    AgentFlight *flight = g_new(AgentFlight, 1);
    Clock clock = {flights->bounds, now_us};

    *flight = (AgentFlight){
        .question = question,
        .guest = agent_question_command(question)->guest,
        .id = agent_flight_random_63(),
        .with_id = with_id,
        .may_keep = TRUE,
        .begun_us = now_us,
        .begun_at = bytes_read,
    };
    agent_question_close(question);
    if (question->rested_us)
        agent_question_go_on(question, now_us);
    else
        agent_question_foreach(question, start_clock, &clock);
    question->rested_us = 0;
    g_queue_push_tail(&flights->under_way, flight);
    return flight;
}

/* ---- Which there are ------------------------------------------------------------------------- */

guint agent_flights_count(const AgentFlights *flights)
{
    return flights->under_way.length;
}

AgentFlight *agent_flights_first(const AgentFlights *flights)
{
    for (GList *at = flights->under_way.head; at; at = at->next)
        if (((AgentFlight *)at->data)->question)
            return at->data;
    return NULL;
}

AgentFlight *agent_flights_find(const AgentFlights *flights, const EnvelopeReply *reply,
                                gboolean synced, guint64 bytes_taken)
{
    for (GList *at = flights->under_way.head; at; at = at->next)
        if (agent_flight_is_answered(at->data, reply, synced, bytes_taken))
            return at->data;
    return NULL;
}

gboolean agent_flights_have_flag(const AgentFlights *flights, GuestFlags flag)
{
    for (GList *at = flights->under_way.head; at; at = at->next)
        if (agent_flight_has_flag(at->data, flag))
            return TRUE;
    return FALSE;
}

gboolean agent_flights_await(const AgentFlights *flights, gboolean (*is_such)(const Pending *))
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        const Pending *command = agent_flight_command(at->data);

        if (command && is_such(command))
            return TRUE;
    }
    return FALSE;
}

gboolean agent_flights_are_unheard(const AgentFlights *flights)
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        const AgentFlight *flight = at->data;

        if (!flight->question && flight->begun_us >= flights->answered_us)
            return TRUE;
    }
    return FALSE;
}

const AgentQuestion *agent_flights_read(const AgentFlights *flights)
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        const AgentFlight *flight = at->data;

        if (flight->question && flight->question->read)
            return flight->question;
    }
    return NULL;
}

void agent_flights_forget(AgentFlights *flights)
{
    for (GList *at = flights->under_way.head; at; at = at->next)
        ((AgentFlight *)at->data)->may_keep = FALSE;
}

/* ---- Who is told ----------------------------------------------------------------------------- */

AgentQuestion *agent_flights_withdraw(AgentFlights *flights, AgentFlight *flight)
{
    AgentQuestion *question = flight->question;

    g_queue_remove(&flights->under_way, flight);
    g_free(flight);
    return question;
}

AgentQuestion *agent_flights_rest(AgentFlights *flights, AgentFlight *flight, gint64 now_us)
{
    flights->answered_us = now_us;
    return agent_flights_withdraw(flights, flight);
}

static void tell(AgentFlights *flights, Pending *pending, const EnvelopeReply *reply,
                 const GError *error, gint64 now_us)
{
    if (reply || pending->answered)
        pending_record(pending, &flights->latency[pending_class(pending)], now_us);
    pending_finish(pending, reply, error);
}

/* Who is told may come with the next command, or bring about that another leaves: so those who are
 * still to be told can be found meanwhile. */
static void end_landing(AgentFlights *flights, AgentQuestion *question)
{
    g_queue_remove(&flights->landing, question);
    agent_question_free(question);
}

void agent_flights_land(AgentFlights *flights, AgentFlight *flight, const EnvelopeReply *reply,
                        const GError *error, gint64 now_us)
{
    AgentQuestion *question = agent_flights_withdraw(flights, flight);
    Pending *pending;

    flights->answered_us = now_us;
    if (!question)
        return;
    g_queue_push_head(&flights->landing, question);
    while ((pending = agent_question_take(question)))
        tell(flights, pending, reply, error, now_us);
    end_landing(flights, question);
}

/* None of them is under way any more before the first is told: what is under way then is new. */
void agent_flights_fail_all(AgentFlights *flights, const char *why, gint64 now_us)
{
    GQueue lost = G_QUEUE_INIT;
    AgentQuestion *question;
    AgentFlight *flight;
    Pending *pending;

    while ((flight = agent_flights_first(flights))) {
        question = agent_flights_withdraw(flights, flight);
        g_queue_push_tail(&lost, question);
        g_queue_push_head(&flights->landing, question);
    }
    agent_flights_drop_late(flights);
    while ((question = g_queue_pop_head(&lost))) {
        while ((pending = agent_question_take(question))) {
            g_autoptr(GError) error = NULL;

            qmp_error_set(&error, "%s; %s was sent and its outcome is unknown", why, pending->name);
            tell(flights, pending, NULL, error, now_us);
        }
        end_landing(flights, question);
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

gint64 agent_flights_deadline(const AgentFlights *flights)
{
    gint64 first_us = G_MAXINT64;

    for (GList *at = flights->under_way.head; at; at = at->next) {
        const AgentFlight *flight = at->data;

        if (flight->question)
            first_us = MIN(first_us, agent_question_deadline(flight->question));
    }
    return first_us;
}

guint agent_flights_split_late(AgentFlights *flights, gint64 now_us, GQueue *late)
{
    guint count = 0;

    for (GList *at = flights->under_way.head; at; at = at->next) {
        AgentFlight *flight = at->data;
        AgentQuestion *question =
            flight->question ? agent_question_split_late(flight->question, now_us) : NULL;

        if (!question)
            continue;
        count += agent_question_length(question);
        g_queue_push_tail(late, question);
        g_queue_push_head(&flights->landing, question);
        if (agent_question_length(flight->question) == 0)
            g_clear_pointer(&flight->question, agent_question_free);
    }
    return count;
}

void agent_flights_fail_late(AgentFlights *flights, GQueue *late)
{
    AgentQuestion *question;
    Pending *pending;

    while ((question = g_queue_pop_head(late))) {
        while ((pending = agent_question_take(question)))
            pending_fail(pending,
                         "The guest agent did not answer within %u s; %s was sent and its outcome "
                         "is unknown",
                         pending->seconds, pending->name);
        end_landing(flights, question);
    }
}

/* What the pauses have added stays. A freeze or a thaw keeps its own time: what is known of the
 * filesystems hangs on its answer, and there is one of them at a time. */
static void shorten(Pending *pending, gpointer data)
{
    const AgentFlights *flights = data;
    guint seconds = (guint)class_seconds(flights->bounds, pending);

    if (!pending->orphan || pending->seconds <= seconds || pending_is_freeze_or_thaw(pending))
        return;
    pending->deadline_us -= (gint64)(pending->seconds - seconds) * G_USEC_PER_SEC;
    pending->seconds = seconds;
}

void agent_flights_shorten_orphans(AgentFlights *flights)
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        AgentFlight *flight = at->data;

        if (!flight->question)
            continue;
        agent_question_foreach(flight->question, shorten, flights);
        agent_flight_spend(flight);
    }
}

void agent_flights_drop_late(AgentFlights *flights)
{
    for (GList *at = flights->under_way.head, *next; at; at = next) {
        next = at->next;
        if (((AgentFlight *)at->data)->question)
            continue;
        g_free(at->data);
        g_queue_delete_link(&flights->under_way, at);
    }
}

static void lengthen(Pending *pending, gpointer pause_us)
{
    pending->deadline_us += *(const gint64 *)pause_us;
}

void agent_flights_lengthen(AgentFlights *flights, gint64 pause_us)
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        AgentFlight *flight = at->data;

        if (flight->question)
            agent_question_foreach(flight->question, lengthen, &pause_us);
    }
}

/* The name of one that nobody knows is its asker's, and may be of any length. */
void agent_flights_write_names(const AgentFlights *flights, JsonWrite *write)
{
    json_write_begin_array(write);
    for (const GList *at = flights->under_way.head; at; at = at->next) {
        const AgentFlight *flight = at->data;

        json_write_string(write, flight->guest ? flight->guest->name : "another");
    }
    json_write_end_array(write);
}

void agent_flights_foreach(AgentFlights *flights, void (*func)(Pending *pending, gpointer data),
                           gpointer data)
{
    for (GList *at = flights->under_way.head; at; at = at->next) {
        AgentFlight *flight = at->data;

        if (flight->question)
            agent_question_foreach(flight->question, func, data);
    }
    for (GList *at = flights->landing.head; at; at = at->next)
        agent_question_foreach(at->data, func, data);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_flights_save(const AgentFlights *flights, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = flights->under_way.head; at; at = at->next) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        agent_flight_save(at->data, handover, &item);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "flights", list);
    saved_put_int(to, "answered", flights->answered_us);
}

static void restore_flight(const HandoverPart *item, gpointer flights)
{
    g_queue_push_tail(&((AgentFlights *)flights)->under_way, agent_flight_restore(item));
}

void agent_flights_restore(AgentFlights *flights, const HandoverPart *part)
{
    handover_foreach(part, "flights", restore_flight, flights);
    flights->answered_us = saved_get_int(part->from, "answered");
}
