/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * process, between its parts.
 *
 * process.c owns what is kept of what a program says, and what others read of it;
 * process-linux.c and process-win32.c own how their system starts it, reads from it, and ends it.
 */

#pragma once

#include "agent/process.h"

/* What every system's struct Process begins with. */
typedef struct {
    gboolean ended;
    gboolean freed; /* by its owner; lives on until it has ended, and nobody holds its pipes */
    ProcessOutput out;
    ProcessOutput err;
    void (*on_end)(Process *process, gpointer user);
    gpointer user;
} ProcessCommon;

void process_common_init(ProcessCommon *common, const ProcessSpec *spec);
void process_common_clear(ProcessCommon *common);

/* As much of it as there is room for. */
void process_output_take(ProcessOutput *output, const char *data, gsize len);

/* What comes from now on is read and thrown away: a full pipe would stop its writer, a closed one
 * kill it. */
void process_output_forget(ProcessOutput *output);

/* Nobody says anything more. */
void process_output_end(ProcessOutput *output);
