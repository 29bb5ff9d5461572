/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * crowd: the clients of one proxy.
 *
 * Owns where they come from, how many of them there may be, what they hold together, and their end:
 * each is freed in a turn of its own, since whoever called it may still hold it. Leaves what they
 * say to the core. A part of the core: it knows clients and entrances.
 */

#pragma once

#include "client.h"

#include "common/address.h"

G_BEGIN_DECLS

typedef struct {
    ClientOps client; /* to be followed by crowd_leave() in gone() */
    /* One has come, and is neither greeted nor put anywhere. */
    void (*came)(gpointer owner, Client *client);
    /* The last one was freed, after crowd_close(); the crowd may not be cleared within this call.
     */
    void (*empty)(gpointer owner);
} CrowdOps;

typedef struct {
    IoLoop *loop;
    const CrowdOps *ops;
    gpointer owner;

    GPtrArray *entrances; /* of Entrance */
    GQueue clients;       /* of Client */
    GQueue departed;      /* of Client: have left, freed at the next turn of the loop */
    IoTimer *reaper;
    gboolean closing;

    ClientCommon common;
    guint64 accepted; /* in all */
    guint64 refused;  /* that were one too many */
} Crowd;

/* @bounds: must outlive the crowd */
void crowd_init(Crowd *crowd, IoLoop *loop, const Bounds *bounds, const CrowdOps *ops,
                gpointer owner);

/* Frees who is left, without a word to anybody. */
void crowd_clear(Crowd *crowd);

/* The account of all together has another limit from now on. */
void crowd_set_total(Crowd *crowd, gsize bytes);

/* @form: in which clients from there are answered · @part: (nullable): of a former crowd, whose
 * entrance this may have been */
gboolean crowd_add_entrance(Crowd *crowd, const Address *address, AnswersForm form,
                            const HandoverPart *part, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Nobody comes from there any more; who did stays. Returns: FALSE where there is no such one */
gboolean crowd_remove_entrance(Crowd *crowd, const Address *address);

/* Returns: (nullable): why there is no place for another client of that user, -1 for an unknown */
const char *crowd_no_place(const Crowd *crowd, gint64 user);

/* One has come by another way. @fd: (transfer full). @peer: who it is */
void crowd_let_in(Crowd *crowd, int fd, const char *peer, AnswersForm form);

/* Whether an entrance waits for its first client. */
gboolean crowd_is_awaited(const Crowd *crowd);

/* Calls @func for each, which may make any of them leave; also for one that left meanwhile. */
void crowd_foreach(Crowd *crowd, void (*func)(Client *client, gpointer data), gpointer data);

/* Returns: how many have this client_data() */
guint crowd_count(const Crowd *crowd, gconstpointer data);

void crowd_leave(Crowd *crowd, Client *client);

/* Nobody comes any more, and who is there gets what is left for it, as with client_finish(). */
void crowd_close(Crowd *crowd);

/* Makes everybody a party of @handover, in the order in which crowd_save() saves them. */
void crowd_add_parties(Crowd *crowd, Handover *handover);
void crowd_save(Crowd *crowd, Handover *handover, Saved *to);

/* The clients are there again, as parties of the handover, and hear nothing before crowd_resume().
 * Their monitors are parties already. */
void crowd_restore(Crowd *crowd, const HandoverPart *part);
void crowd_resume(Crowd *crowd);

G_END_DECLS
