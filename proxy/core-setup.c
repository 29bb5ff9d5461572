/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-setup: how a core is put together, set up, started and taken apart.
 */

#include "core-private.h"

#include "socket.h"

#include "common/qmp-error.h"

#include <string.h>

gboolean core_add_agent(Core *core, const Address *address, GError **error)
{
    g_auto(CoreInherited) inherited;
    guint former = 0;
    const HandoverPart *part =
        core_inherit_at(core, core_channel_part, address, &former, &inherited);

    if (!channels_add(&core->channels, address, &core->bounds, part, former, error))
        return FALSE;
    core_use_channel(core);
    return TRUE;
}

static void inherit(Core *core, const CoreState *inherited)
{
    core->handover.renew = core_renew;
    core->handover.owner = core;
    if (inherited->journal) {
        core->journal = inherited->journal;
        core->recovering = TRUE;
        core->inherited = core_read_journal(core->journal);
        core->handover.ops = &core_journal_fds;
        core->handover.fds = core->journal;
    } else {
        core->inherited = g_variant_ref(inherited->state);
        core->handover.fds = g_object_ref(inherited->fds);
    }
    core_add_former_monitors(core);
}

static char *dup_status(gpointer core, gboolean connections)
{
    return core_status(core, connections);
}

Core *core_new(GMainContext *context, const Address *monitor, const Address *agent,
               const CoreState *inherited, const CoreOps *ops, gpointer owner, GError **error)
{
    Core *core = g_new(Core, 1);

    *core = (Core){.ops = ops, .owner = owner, .loop = io_loop_get(context)};
    core->monitors = g_ptr_array_new_with_free_func((GDestroyNotify)monitor_free);
    core->claimed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    handover_init(&core->handover, &core_handover_fds, NULL);
    if (inherited)
        inherit(core, inherited);
    bounds_init(&core->bounds);
    crowd_init(&core->crowd, core->loop, &core->bounds, &core_crowd_ops, core);
    core->crowd.common.journal = core->journal;
    introspect_init(&core->introspect);
    core->parted = io_timer_new(core->loop, core_on_parted, core);

    channels_init(&core->channels, core->loop, &core_channels_ops, core);
    freeze_init(&core->freeze, core->loop, &core_freeze_ops, core);
    local_init(&core->local, core->loop, &core->freeze, dup_status, core);
    if ((agent && !core_add_agent(core, agent, error)) || !core_check_inherited(core, error) ||
        !core_add_monitor(core, monitor, error))
        g_clear_pointer(&core, core_free);
    return core;
}

void core_free(Core *core)
{
    if (!core)
        return;
    crowd_close(&core->crowd);
    /* Each fails what it has, and clients leave meanwhile; these know their monitor until then. */
    for (guint i = 0; i < core->monitors->len; i++)
        monitor_abandon(core->monitors->pdata[i]);
    local_clear(&core->local);
    freeze_stop(&core->freeze);
    core->lane = NULL;
    channels_clear(&core->channels);
    freeze_clear(&core->freeze);
    crowd_clear(&core->crowd);
    g_ptr_array_unref(core->monitors);
    g_hash_table_unref(core->claimed);
    introspect_clear(&core->introspect);
    core_forget_inherited(core);
    handover_clear(&core->handover);
    journal_free(core->journal);
    io_timer_free(core->parted);
    io_loop_unref(core->loop);
    g_free(core->version);
    g_free(core->program);
    g_free(core->closing);
    g_free(core);
}

gboolean core_add_monitor(Core *core, const Address *address, GError **error)
{
    g_auto(CoreInherited) inherited;
    guint former = 0;
    const HandoverPart *part =
        core_inherit_at(core, core_monitor_part, address, &former, &inherited);
    Monitor *monitor =
        monitor_new(core->loop, address, &core->bounds, &core_monitor_ops, core, part, error);

    if (!monitor)
        return FALSE;
    if (part)
        core->handover.parties->pdata[former] = monitor;
    g_ptr_array_add(core->monitors, monitor);
    if (core->started)
        upstream_connect(monitor_upstream(monitor));
    return TRUE;
}

static gboolean add_entrance(Core *core, const Address *address, AnswersForm form, GError **error)
{
    g_auto(CoreInherited) inherited;

    return crowd_add_entrance(&core->crowd, address, form, core_inherit(core, "crowd", &inherited),
                              error);
}

gboolean core_add_listener(Core *core, const Address *address, GError **error)
{
    return add_entrance(core, address, address->pretty ? ANSWERS_PRETTY : ANSWERS_QMP, error);
}

gboolean core_add_agent_listener(Core *core, const Address *address, GError **error)
{
    if (channels_share(&core->channels, address, core_is_qemu, core))
        return TRUE;
    return add_entrance(core, address, ANSWERS_AGENT, error);
}

gboolean core_remove_listener(Core *core, const Address *address, GError **error)
{
    g_autofree char *text = address_to_string(address);

    if (crowd_remove_entrance(&core->crowd, address)) {
        core_connect_unless_held(core); /* its first client may have been waited for */
        return TRUE;
    }
    qmp_error_set(error, "Nobody is let in at %s", text);
    return FALSE;
}

gboolean core_add_client(Core *core, int fd, const char *peer, gboolean agent, GError **error)
{
    const char *why = crowd_no_place(&core->crowd, socket_peer_user(fd));

    if (core->closing)
        why = "QEMU has gone";
    if (why) {
        qmp_error_set(error, "%s: %s", peer, why);
        return FALSE;
    }
    crowd_let_in(&core->crowd, fd, peer, agent ? ANSWERS_AGENT : ANSWERS_QMP);
    return TRUE;
}

gboolean core_keep(Core *core, JournalKeep keep, gpointer keeper, GError **error)
{
    if (!core->journal && keep) {
        core->journal = journal_new(error);
        if (!core->journal)
            return FALSE;
        core->crowd.common.journal = core->journal;
    }
    if (core->journal)
        journal_set_keep(core->journal, keep, keeper);
    return TRUE;
}

void core_set_freeze_lease(Core *core, guint seconds)
{
    core->freeze.lease_seconds = seconds;
}

void core_set_freeze_join(Core *core, gboolean join)
{
    core->freeze.joins = join;
}

gboolean core_set_state_directory(Core *core, const char *directory, const char *name,
                                  GError **error)
{
    Record *record = record_new(io_loop_context(core->loop), directory, name, error);

    if (!record)
        return FALSE;
    freeze_set_record(&core->freeze, record);
    return TRUE;
}

gboolean core_set_agent_cache(Core *core, const char *text, GError **error)
{
    if (core->lane)
        return channels_allow_cache(&core->channels, text, error);
    qmp_error_set(error, "There is no guest agent's channel whose answers could be kept");
    return FALSE;
}

void core_set_persist(Core *core, gboolean persist)
{
    core->persist = persist;
}

gboolean core_set_limit(Core *core, const char *text, GError **error)
{
    if (!bounds_parse(&core->bounds, text, error))
        return FALSE;
    crowd_set_total(&core->crowd, core->bounds.total_bytes);
    return TRUE;
}

void core_start(Core *core)
{
    if (core->channels.all->len > 1)
        freeze_distrust_status(&core->freeze);
    core_restore(core);
    core->held = TRUE;
    core_connect_unless_held(core);
}
