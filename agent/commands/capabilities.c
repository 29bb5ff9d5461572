/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * capabilities: guest-capabilities.
 *
 * Owns which capabilities there are: a line of the table each. What one does is in the file that is
 * named there.
 */

#include "capabilities.h"

#include "common/limits.h"
#include "common/qmp-error.h"
#include "freeze.h"

typedef struct {
    const char *name;
    void (*tell)(JsonWrite *write);         /* writes the members of its object: its bounds */
    void (*drop)(const Commands *commands); /* (nullable): it is off */
} Capability;

/* ---- lease: freeze.c ------------------------------------------------------------------------- */

static void tell_lease(JsonWrite *write)
{
    json_write_member_int64(write, "longest", LIMIT_FREEZE_LEASE_LONGEST);
}

static void drop_lease(const Commands *commands)
{
    freezer_forget_lease(commands->freezer);
}

static gboolean set_lease(const Commands *commands, gint64 seconds, GError **error)
{
    if ((commands->capabilities & 1u << GUEST_CAPABILITY_LEASE) == 0) {
        qmp_error_set(error, "the capability 'lease' is not enabled");
        return FALSE;
    }
    if (seconds < 0 || seconds > LIMIT_FREEZE_LEASE_LONGEST) {
        qmp_error_set(error, "a lease is from 0 to %d seconds, not %" G_GINT64_FORMAT,
                      LIMIT_FREEZE_LEASE_LONGEST, seconds);
        return FALSE;
    }
    freezer_set_lease(commands->freezer, (guint)seconds);
    return TRUE;
}

/* ---- pipeline: dispatch.c -------------------------------------------------------------------- */

static void tell_pipeline(JsonWrite *write)
{
    json_write_member_int64(write, "depth", LIMIT_AGENT_PIPELINE);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static const Capability capabilities[] = {
    [GUEST_CAPABILITY_LEASE] = {"lease", tell_lease, drop_lease},
    [GUEST_CAPABILITY_PIPELINE] = {"pipeline", tell_pipeline, NULL},
};

void capabilities_drop(Commands *commands)
{
    for (guint i = 0; i < G_N_ELEMENTS(capabilities); i++)
        if ((commands->capabilities & 1u << i) != 0 && capabilities[i].drop != NULL)
            capabilities[i].drop(commands);
    commands->capabilities = 0;
}

static void write_names(JsonWrite *write, const char *key, guint which)
{
    json_write_key(write, key);
    json_write_begin_array(write);
    for (guint i = 0; i < G_N_ELEMENTS(capabilities); i++)
        if ((which & 1u << i) != 0)
            json_write_string(write, capabilities[i].name);
    json_write_end_array(write);
}

static void tell(const Commands *commands, JsonWrite *write)
{
    json_write_begin_object(write);
    write_names(write, "available", G_MAXUINT);
    write_names(write, "enabled", commands->capabilities);
    for (guint i = 0; i < G_N_ELEMENTS(capabilities); i++) {
        json_write_key(write, capabilities[i].name);
        json_write_begin_object(write);
        capabilities[i].tell(write);
        json_write_end_object(write);
    }
    json_write_end_object(write);
}

gboolean guest_capabilities(Commands *commands, const GuestCapabilitiesArguments *args, Call *call,
                            GError **error)
{
    guint before = commands->capabilities;

    for (guint i = 0; args->enable != NULL && i < args->enable->len; i++)
        commands->capabilities |= 1u << g_array_index(args->enable, int, i);
    if (args->has_lease && !set_lease(commands, args->lease, error)) {
        commands->capabilities = before;
        return FALSE;
    }
    tell(commands, call_result(call));
    return TRUE;
}
