/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * client-private: what a client is made of, for client.c, and client-handover.c, which leaves it to
 * a successor. Nobody else includes this.
 */

#pragma once

#include "client.h"
#include "fd-marks.h"

G_BEGIN_DECLS

/* Legal in each state:
 *   HELD         not greeted, since QEMU is not there; read once, to notice one that leaves
 *   NEGOTIATING  every command but qmp_capabilities is refused, no events; for so long
 *   COMMANDING   commands go to the owner, events come
 *   FINISHING    nothing is read; gone when what is under way was answered, and that was written,
 *                or when it takes too long
 *   GONE         the owner was told; nothing happens any more */
typedef enum {
    CLIENT_HELD,
    CLIENT_NEGOTIATING,
    CLIENT_COMMANDING,
    CLIENT_FINISHING,
    CLIENT_GONE,
} ClientState;

/* Bytes of a connection by which HTTP is known. */
enum { HTTP_VERB = 4 };

/* In-band input that was read and waits for its turn: a message or a fault. */
typedef struct {
    GBytes *message; /* (nullable) */
    GError *fault;   /* (nullable) */
    int fd;          /* that came with it, or -1 */
} Ahead;

/* A command that is with the owner, as far as it is known when the process is killed. */
typedef struct {
    char *name; /* (nullable): NULL where there is none */
    GBytes *id; /* (nullable) */
} Owed;

enum { OWED_IN_BAND, OWED_OOB, OWED_LANES };

struct Client {
    const ClientOps *ops;
    gpointer owner;
    char *peer;
    gint64 user;    /* -1 where it is not known */
    gint64 process; /* the same */
    gint64 since_us;
    guint64 commands;
    ClientCommon *common;
    Charge charge;
    gpointer data; /* the owner's */
    ClientSession session;
    IoTimer *deadline; /* of the negotiation, or of what it is left to read in the end */
    IoTimer *again;    /* (nullable): goes on with what is there, at the loop's next turn */

    ClientState state;
    gboolean oob; /* negotiated */
    Io *io;
    Stream stream;
    Answers answers;

    /* Booleans of a byte each: there may be ten thousand clients. */
    guint8 oob_offered;
    guint8 ended;
    guint8 lingers; /* FINISHING, and not for longer than the deadline */
    guint8 in_turn;
    guint8 held; /* it left replies unread up to the high mark, and is not back at the low one */
    guint8 busy; /* an in-band command is with the owner */
    guint8 oob_busy;  /* so is one out of band */
    guint8 unnoted;   /* something has changed that the journal has not */
    guint8 told;      /* so has what it is left to read, by an event */
    guint8 recovered; /* from the journal, and not resumed */
    guint8 unkept;    /* bits by lane: what is under way there has an id that is not kept */

    guint8 n_first;
    char first[HTTP_VERB]; /* of the connection, as far as they have come */
    GQueue read_ahead;     /* of Ahead: behind what is under way */
    FdMarks marks;
    JournalIo kept;        /* of the slot 0 where there is no journal */
    Owed owed[OWED_LANES]; /* where there is a journal */
};

/* @slot: of the journal, where it is kept; 0 for none */
Client *client_make(IoLoop *loop, int fd, const char *peer, AnswersForm form, const ClientOps *ops,
                    gpointer owner, ClientCommon *common, guint slot);

/* Writes it down, where it is kept. */
void client_note(Client *client);
void client_forget_owed(Client *client, gboolean oob);

/* @message, @fault: (transfer full) (nullable): one of them; the message is charged · @fd:
 * (transfer full): or -1 */
void client_keep_ahead(Client *client, GBytes *message, GError *fault, int fd);

G_END_DECLS
