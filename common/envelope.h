/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * envelope: what kind of message this is, and where its parts stand.
 *
 * Owns the shape of commands and replies: which members there may be, of which kind, and the words
 * QEMU has for each fault. Leaves the grammar to json-scan.h, and whether a command exists to
 * whoever runs it.
 */

#pragma once

#include "json-read.h"

G_BEGIN_DECLS

typedef enum {
    ENVELOPE_RETURN,
    ENVELOPE_ERROR,
    ENVELOPE_EVENT,
    ENVELOPE_GREETING,
} EnvelopeKind;

typedef struct {
    char *name;         /* (owned): the command, escapes resolved */
    JsonSpan called;    /* the same, as it was sent */
    gboolean oob;       /* asked for by exec-oob */
    guint timeout;      /* seconds, of a guest command; 0 where it says nothing of that */
    JsonSpan id;        /* of any kind; absent where there is none */
    JsonSpan arguments; /* an object, or absent */
} EnvelopeCommand;

/* Members that a command may have beside execute, arguments and id. */
typedef enum {
    ENVELOPE_OOB_UNKNOWN = 0, /* none: exec-oob is not one (the agent, or not negotiated) */
    ENVELOPE_OOB_KNOWN = 1 << 0,
    ENVELOPE_TIMEOUT_KNOWN = 1 << 1, /* qga-proxy-timeout, of what is called guest-* */
} EnvelopeExtras;

/**
 * envelope_read_command:
 * @message: one scanned value
 * @ret: to be cleared by the caller in either case: id is found even where the shape is wrong,
 * since an error carries it too
 * @error: GenericError in QEMU's words
 */
gboolean envelope_read_command(JsonSpan message, EnvelopeExtras extras, EnvelopeCommand *ret,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same but for the name, which costs an allocation: for who knows all names there are. */
gboolean envelope_find_command(JsonSpan message, EnvelopeExtras extras, EnvelopeCommand *ret,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void envelope_command_clear(EnvelopeCommand *command);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EnvelopeCommand, envelope_command_clear)

/**
 * envelope_quotable:
 * @string: a name that a peer made up
 *
 * Returns: (transfer full): what an error's text repeats of it: at most LIMIT_COMMAND_NAME bytes,
 * whole characters
 */
char *envelope_quotable(JsonSpan string);

typedef struct {
    EnvelopeKind kind;
    JsonSpan id;    /* of a reply; absent where there is none */
    JsonSpan value; /* return: any value · error, greeting: their object · event: its name */
    JsonSpan data;  /* of an event; absent where there is none */
    JsonSpan known; /* a string in the message, as in json_read_walk_past(); mostly none */
    GBytes *shared; /* (nullable): not owned; the value and nothing else, for who may keep it */
} EnvelopeReply;

/* {"return": {}}: what success says that has nothing else to say. */
extern const EnvelopeReply envelope_empty_return;

/**
 * envelope_read_reply:
 *
 * For what a server sends. Strict, since a guest may send anything: exactly one of return, error,
 * event and QMP, no member that does not belong, an error with two strings.
 *
 * Returns: FALSE where it is none of these; @ret is untouched
 */
gboolean envelope_read_reply(JsonSpan message, EnvelopeReply *ret) G_GNUC_WARN_UNUSED_RESULT;

/* The same; @known as in json_read_walk_past(). */
gboolean envelope_read_reply_past(JsonSpan message, JsonSpan known,
                                  EnvelopeReply *ret) G_GNUC_WARN_UNUSED_RESULT;

/**
 * envelope_error:
 * @reply: one of kind ENVELOPE_ERROR
 * @max_desc: bytes of desc that are kept
 *
 * Returns: (transfer full): class and desc as a GError of domain QMP_ERROR; an unknown class is
 * GenericError
 */
GError *envelope_error(const EnvelopeReply *reply, gsize max_desc);

G_END_DECLS
