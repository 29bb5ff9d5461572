/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/process-private.h"

/* ---- What it says ---------------------------------------------------------------------------- */

void process_output_take(ProcessOutput *output, const char *data, gsize len)
{
    gsize room = output->limit - output->data->len;

    if (output->sealed)
        return;
    output->truncated |= len > room;
    g_string_append_len(output->data, data, (gssize)MIN(len, room));
}

void process_output_forget(ProcessOutput *output)
{
    g_string_free(output->data, TRUE);
    output->data = g_string_new(NULL);
    output->limit = 0;
}

void process_output_end(ProcessOutput *output)
{
    output->open &= output->sealed;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void process_common_init(ProcessCommon *common, const ProcessSpec *spec)
{
    *common = (ProcessCommon){
        .out = {.data = g_string_new(NULL), .limit = spec->capture_limit},
        .err = {.data = g_string_new(NULL), .limit = spec->capture_limit},
        .on_end = spec->ended,
        .user = spec->user,
    };
}

void process_common_clear(ProcessCommon *common)
{
    g_string_free(common->out.data, TRUE);
    g_string_free(common->err.data, TRUE);
}

/* ---- What is read of it ---------------------------------------------------------------------- */

void process_seal(Process *process)
{
    ProcessCommon *common = (ProcessCommon *)(gpointer)process;

    common->out.sealed = common->err.sealed = TRUE;
}

static const ProcessCommon *common_of(const Process *process)
{
    return (const ProcessCommon *)(gconstpointer)process;
}

gboolean process_has_ended(const Process *process)
{
    return common_of(process)->ended;
}

const ProcessOutput *process_out(const Process *process)
{
    return &common_of(process)->out;
}

const ProcessOutput *process_err(const Process *process)
{
    return &common_of(process)->err;
}
