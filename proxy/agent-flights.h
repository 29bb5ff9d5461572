/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * agent-flights: the commands that are under way to the guest agent.
 *
 * Owns which they are, whose answer has come, and that all who asked are told, each within its own
 * time. One that nobody waits for any more is late: it keeps its place until its answer has come,
 * or the agent was brought into step, since only then is it over. Leaves to the lane when one
 * begins and how it ends.
 */

#pragma once

#include "agent-flight.h"
#include "bounds.h"
#include "status.h"

G_BEGIN_DECLS

typedef struct {
    GQueue under_way;     /* of AgentFlight, oldest first */
    const Bounds *bounds; /* not owned */
    gint64 answered_us;   /* when one was last answered */
    Latency latency[STATUS_CLASSES];
    GQueue landing; /* of AgentQuestion: those whose askers are being told */
} AgentFlights;

/* @bounds: the time of each class of commands, for those who ask without a limit of their own */
void agent_flights_init(AgentFlights *flights, const Bounds *bounds);

/**
 * agent_flights_begin:
 * @question: (transfer full): whose time runs from now on
 * @bytes_read: of the guest's, so far
 *
 * Returns: (transfer none): what is to be written
 */
AgentFlight *agent_flights_begin(AgentFlights *flights, AgentQuestion *question, gboolean with_id,
                                 guint64 bytes_read, gint64 now_us);

/* Late ones count. */
guint agent_flights_count(const AgentFlights *flights);

/* Returns: (nullable): the oldest for which somebody waits */
AgentFlight *agent_flights_first(const AgentFlights *flights);

/* Returns: (nullable): the one that @reply answers; it may be late */
AgentFlight *agent_flights_find(const AgentFlights *flights, const EnvelopeReply *reply,
                                gboolean synced, guint64 bytes_taken);

/* Whether there is one that is such a command; it may be late. */
gboolean agent_flights_have_flag(const AgentFlights *flights, GuestFlags flag);

/* Whether somebody waits for one that is such a command. One that is late may never end, and would
 * keep others waiting for as long. */
gboolean agent_flights_await(const AgentFlights *flights, gboolean (*is_such)(const Pending *));

/* Whether a late one was the last that was heard of the agent: then it may be past hearing. */
gboolean agent_flights_are_unheard(const AgentFlights *flights);

/* The answers of none of them are to be kept. */
void agent_flights_forget(AgentFlights *flights);

/* Tells all who asked; it is not under way any more, before the first of them hears of it. */
void agent_flights_land(AgentFlights *flights, AgentFlight *flight, const EnvelopeReply *reply,
                        const GError *error, gint64 now_us);

/* The same for all, with what is known of their outcome: nothing. */
void agent_flights_fail_all(AgentFlights *flights, const char *why, gint64 now_us);

/* Returns: (transfer full): what was asked, to be asked again */
AgentQuestion *agent_flights_withdraw(AgentFlights *flights, AgentFlight *flight);

/* The same of one that was answered: it was a piece of a read, of which there is more. */
AgentQuestion *agent_flights_rest(AgentFlights *flights, AgentFlight *flight, gint64 now_us);

/* Returns: (nullable): the one that is asked in pieces; there is but one */
const AgentQuestion *agent_flights_read(const AgentFlights *flights);

/* Returns: when the first asker's time is over; G_MAXINT64 for never */
gint64 agent_flights_deadline(const AgentFlights *flights);

/**
 * agent_flights_split_late:
 * @late: empty; those whose time is over, for agent_flights_fail_late()
 *
 * Returns: how many commands these are
 */
guint agent_flights_split_late(AgentFlights *flights, gint64 now_us, GQueue *late);
void agent_flights_fail_late(AgentFlights *flights, GQueue *late);

/* Those whose askers have left have no more time than their class, and are to take no more memory
 * than they must: nobody pays for them. */
void agent_flights_shorten_orphans(AgentFlights *flights);

/* The agent is brought into step: nothing comes any more of what nobody waits for. */
void agent_flights_drop_late(AgentFlights *flights);

/* A pause is no time. */
void agent_flights_lengthen(AgentFlights *flights, gint64 pause_us);

/* An array of those under way, nobody waiting for some of them any more. */
void agent_flights_write_names(const AgentFlights *flights, JsonWrite *write);

/* Also those that are still to be told. */
void agent_flights_foreach(AgentFlights *flights, void (*func)(Pending *pending, gpointer data),
                           gpointer data);

void agent_flights_save(const AgentFlights *flights, Handover *handover, Saved *to);
void agent_flights_restore(AgentFlights *flights, const HandoverPart *part);

G_END_DECLS
