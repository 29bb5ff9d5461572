/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz-run: one proxy in memory, and all who are around it.
 *
 * Owns how they begin, that all of them look at what came whenever nothing is left to be done, and
 * what must hold in the end. Leaves what happens in between to the script (fuzz-script.h).
 */

#pragma once

#include "fuzz-agent.h"
#include "fuzz-client.h"
#include "fuzz-qemu.h"

#include "proxy/core.h"

G_BEGIN_DECLS

enum { FUZZ_CLIENTS = 2, FUZZ_MONITORS = 2 };

/* How the monitor is met; a second one is never inherited. */
typedef enum {
    FUZZ_MONITOR_DIALLED,
    FUZZ_MONITOR_INHERITED,
    FUZZ_MONITOR_COMES,
} FuzzMonitor;

typedef struct {
    gboolean persist;
    gboolean tight; /* limits that are soon met */
    gboolean two_monitors;
    gboolean no_agent;
    FuzzMonitor monitor;
    gboolean dialled;   /* the last client is: by the proxy, and as one that is pretty */
    gboolean no_oob;    /* is offered */
    gboolean tcp;       /* clients are on other hosts */
    gboolean unnamed;   /* the agent's port has no id */
    gsize read_max;     /* bytes of one read */
    const char *record; /* (nullable): the machine's name, where a freeze is put on record */
} FuzzSetup;

typedef struct {
    FuzzSetup setup;
    Stage stage;
    Core *core;
    FuzzClient *clients[FUZZ_CLIENTS]; /* (nullable) */
    FuzzQemu *qemus[FUZZ_MONITORS];    /* the second one (nullable) */
    FuzzAgent *agent;                  /* (nullable) */
    guint closed;                      /* how often the proxy has ended */
} FuzzRun;

void fuzz_run_begin(FuzzRun *run, const FuzzSetup *setup);

/* All is there, and all have met. */
void fuzz_run_warm_up(FuzzRun *run, gboolean oob);

/* @abruptly: in the middle of everything; else all speak the truth from here on, so that everybody
 * is to be answered */
void fuzz_run_end(FuzzRun *run, gboolean abruptly);

/* Everything happens that is to, and all look at it; the same, while time passes. */
void fuzz_run_settle(FuzzRun *run);
void fuzz_run_pass_ms(FuzzRun *run, guint64 ms);

/* QEMU and the agent answer what they were asked. */
void fuzz_run_serve(FuzzRun *run);

/* In all below, bit 0 of @how says who. */

/* Bit 1: as another user. */
void fuzz_run_connect(FuzzRun *run, guint how);

/* Bit 1: with oob. */
void fuzz_run_negotiate(FuzzRun *run, guint how);
void fuzz_run_qemu_comes(FuzzRun *run, guint how);

/* The proxy finds nobody there from now on. */
void fuzz_run_qemu_closes(FuzzRun *run, guint how);

FuzzClient *fuzz_run_client(FuzzRun *run, guint how);
FuzzQemu *fuzz_run_qemu(FuzzRun *run, guint how);

G_END_DECLS
