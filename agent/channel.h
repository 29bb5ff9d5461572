/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * channel: where requests come from: a virtio-serial port, a serial line, a listening socket.
 *
 * Owns the device or socket and its life: it opens, waits until somebody is on the other side,
 * opens again what broke. To its owner all kinds look alike, a row of connections, one at a time;
 * each begins with opened(), and ends when the stream on it is cleared.
 */

#pragma once

#include "common/stream.h"

typedef enum {
    CHANNEL_VIRTIO_SERIAL,
    CHANNEL_ISA_SERIAL,
    CHANNEL_UNIX_LISTEN,
    CHANNEL_VSOCK_LISTEN,
} ChannelMethod;

typedef struct {
    ChannelMethod method;
    const char *path; /* unix-listen with an inherited socket needs none */
    int listen_fd;    /* an inherited listening socket; -1: none */
    gboolean
        retry; /* try again whatever keeps it from opening; else just where nothing is there yet */
} ChannelAddress;

typedef struct {
    /* A connection begins: a stream with channel_io and the channel itself is to be set up. */
    void (*opened)(gpointer user);
    /* The stream can be read, or written, and has asked for it. Returns: whether that has set up
     * nothing that the main loop is to look for from now on: it need not have its turn */
    gboolean (*ready)(gpointer user);
    /* The host has, whatever the stream has asked for: what it had sent is to be read at once, to
     * the end, before the next one sends. */
    void (*left)(gpointer user);
} ChannelCallbacks;

typedef struct Channel Channel;

/* Its close() ends the connection, not the channel. */
extern const StreamIo channel_io;

/**
 * channel_new:
 *
 * Runs in the default main context. The first opened() comes no sooner than that runs.
 */
Channel *channel_new(const ChannelAddress *address, const ChannelCallbacks *callbacks,
                     gpointer user, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * channel_may_linger:
 * Returns: whether a peer that sends no more may still read what it is owed; the host side of a
 * port that is closed does not, and what was written to it would meet the next host
 */
gboolean channel_may_linger(const Channel *channel);

/* No connection must be open. */
void channel_free(Channel *channel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Channel, channel_free)
