/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-handover: what the core leaves to its successor, and how that carries on.
 *
 * The order of both sides is the same: monitors, then clients, since commands under way refer to
 * both, by the numbers that the former core gave them. Which monitor or channel here is which there
 * its address tells: there may be others now, and what is none of ours is lost like a connection
 * that broke. Where the core waits for answers to questions of its own, they are asked anew, and
 * the answers that still come are taken for nobody; where it does not, nothing is asked, and nobody
 * can tell that there was a change.
 */

#include "core-private.h"

/* Of the layout below. One that has another number is refused, rather than misread. */
enum { VERSION = 1 };

/* ---- Descriptors ----------------------------------------------------------------------------- */

static int put_fd(gpointer list, int fd, GError **error)
{
    return g_unix_fd_list_append(list, fd, error);
}

static int get_fd(gpointer list, int number)
{
    return number < g_unix_fd_list_get_length(list) ? g_unix_fd_list_get(list, number, NULL) : -1;
}

/* Duplicates; what nobody takes is closed with the list. */
const HandoverFds core_handover_fds = {put_fd, get_fd};

/* ---- Saving ---------------------------------------------------------------------------------- */

static void save_monitors(Core *core, Handover *handover, Saved *to)
{
    for (guint i = 0; i < core->monitors->len; i++) {
        g_autofree char *name = core_monitor_part(i);
        Saved part = G_VARIANT_DICT_INIT(NULL);

        monitor_save(core->monitors->pdata[i], handover, &part);
        saved_put_part(to, name, &part);
    }
}

static void save_crowd(Core *core, Handover *handover, Saved *to)
{
    Saved part = G_VARIANT_DICT_INIT(NULL);

    crowd_save(&core->crowd, handover, &part);
    saved_put_part(to, "crowd", &part);
}

static void save_agent(Core *core, Handover *handover, Saved *to)
{
    Saved freeze = G_VARIANT_DICT_INIT(NULL);

    if (!core->lane)
        return;
    channels_save(&core->channels, handover, to);
    freeze_save(&core->freeze, handover, &freeze);
    saved_put_part(to, "freeze", &freeze);
}

static void find_own(Pending *pending, gpointer found)
{
    *(gboolean *)found |= !pending->asker && !pending->orphan;
}

/* Whether the core waits for an answer of its own, or is to ask again while the machine stands
 * still. */
static gboolean is_asking(Core *core)
{
    gboolean found = core->lane && agent_lane_state(core->lane) == AGENT_PAUSED;

    for (guint i = 0; i < core->monitors->len; i++)
        upstream_foreach(monitor_upstream(core->monitors->pdata[i]), find_own, &found);
    channels_foreach(&core->channels, find_own, &found);
    return found;
}

static void save_own(Core *core, Handover *handover, Saved *to)
{
    saved_put_int(to, "version", VERSION);
    saved_put_text(to, "greeting", core->version);
    saved_put_int(to, "oob", core->oob);
    saved_put_int(to, "agent-known", core->agent_known);
    saved_put_int(to, "asking", is_asking(core));
    handover_put_party(handover, to, "leader", core->leader);
    introspect_save(&core->introspect, to);
}

/* Returns: (nullable): NULL where a descriptor is missing: whoever uses it would be cut off */
static GVariant *end_saving(Handover *handover, Saved *saved, GError **error)
{
    if (!handover->error)
        return g_variant_ref_sink(g_variant_dict_end(saved));
    g_variant_dict_clear(saved);
    g_propagate_error(error, g_steal_pointer(&handover->error));
    return NULL;
}

GVariant *core_save(Core *core, GUnixFDList *fds, GError **error)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Saved local = G_VARIANT_DICT_INIT(NULL);
    Handover handover;
    GVariant *state;

    if (core->closing) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_CLOSED, "QEMU has gone");
        return NULL;
    }
    handover_init(&handover, &core_handover_fds, fds);
    for (guint i = 0; i < core->monitors->len; i++)
        handover_add_party(&handover, core->monitors->pdata[i]);
    crowd_add_parties(&core->crowd, &handover);

    save_own(core, &handover, &saved);
    save_monitors(core, &handover, &saved);
    save_crowd(core, &handover, &saved);
    save_agent(core, &handover, &saved);
    local_save(&core->local, &handover, &local);
    saved_put_part(&saved, "local", &local);
    state = end_saving(&handover, &saved, error);
    handover_clear(&handover);
    return state;
}

/* ---- From the journal ------------------------------------------------------------------------ */

static int take_kept(gpointer journal, int number)
{
    return journal_take_fd(journal, (guint)number);
}

const HandoverFds core_journal_fds = {NULL, take_kept};

typedef struct {
    SavedList *clients;
    SavedList *entrances;
} Recovered;

static void read_record(guint slot, GVariant *record, gpointer data)
{
    const Recovered *recovered = data;
    Saved saved;
    g_autofree char *kind = NULL;

    g_variant_dict_init(&saved, record);
    kind = saved_get_text(&saved, "kind");
    saved_list_add(g_strcmp0(kind, "client") == 0 ? recovered->clients : recovered->entrances,
                   &saved);
}

GVariant *core_read_journal(Journal *journal)
{
    Recovered recovered = {saved_list_new(), saved_list_new()};
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    Saved crowd = G_VARIANT_DICT_INIT(NULL);

    journal_foreach(journal, read_record, &recovered);
    saved_put_list(&crowd, "clients", recovered.clients);
    saved_put_list(&crowd, "entrances", recovered.entrances);
    saved_put_part(&saved, "crowd", &crowd);
    saved_put_int(&saved, "version", VERSION);
    return g_variant_ref_sink(g_variant_dict_end(&saved));
}

/* ---- Restoring ------------------------------------------------------------------------------- */

gboolean core_check_inherited(Core *core, GError **error)
{
    Saved saved;
    gint64 version;

    if (!core->inherited)
        return TRUE;
    g_variant_dict_init(&saved, core->inherited);
    version = saved_get_int(&saved, "version");
    g_variant_dict_clear(&saved);
    if (version == VERSION)
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                "cannot carry on for a proxy that leaves version %" G_GINT64_FORMAT
                " of its state: this one knows %d",
                version, VERSION);
    return FALSE;
}

const HandoverPart *core_inherit(Core *core, const char *name, CoreInherited *ret)
{
    Saved saved;
    gboolean found;

    g_variant_dict_init(&saved, core->inherited);
    found = saved_get_part(&saved, name, &ret->saved);
    g_variant_dict_clear(&saved);
    ret->part = (HandoverPart){&core->handover, &ret->saved};
    return found ? &ret->part : NULL;
}

void core_inherited_clear(CoreInherited *inherited)
{
    g_variant_dict_clear(&inherited->saved);
}

/* ---- Which is which -------------------------------------------------------------------------- */

char *core_monitor_part(guint number)
{
    return g_strdup_printf("monitor-%u", number);
}

char *core_channel_part(guint number)
{
    return channels_part_name("agent", number);
}

/* Where others have come or gone, the same one has another number. A former version of this program
 * has left no addresses: then the number is all there is. */
static gboolean is_at(const HandoverPart *part, const char *address)
{
    g_autofree char *saved = saved_get_text(part->from, "address");

    return !saved || g_str_equal(saved, address);
}

const HandoverPart *core_inherit_at(Core *core, CorePartName name, const Address *address,
                                    guint *ret_number, CoreInherited *ret)
{
    g_autofree char *text = address_to_string(address);

    for (guint i = 0;; i++) {
        g_autofree char *part_name = name(i);
        const HandoverPart *part = core_inherit(core, part_name, ret);

        if (!part)
            return NULL;
        if (is_at(part, text) && g_hash_table_add(core->claimed, g_strdup(part_name))) {
            *ret_number = i;
            return part;
        }
        core_inherited_clear(ret);
    }
}

static gboolean is_left(Core *core, const char *name)
{
    g_auto(CoreInherited) inherited;

    return core_inherit(core, name, &inherited) != NULL;
}

void core_add_former_monitors(Core *core)
{
    for (guint i = 0;; i++) {
        g_autofree char *name = core_monitor_part(i);

        if (!is_left(core, name))
            return;
        handover_add_party(&core->handover, NULL);
    }
}

/* ---- What is none of ours any more ----------------------------------------------------------- */

/* Returns: (transfer full): the former core's monitors that have no successor, as parties, to be
 * restored and lost: else whoever uses them would be taken for somebody without a monitor */
static GPtrArray *add_strays(Core *core)
{
    const Address nowhere = {.kind = ADDRESS_UNIX, .path = (char *)""};
    GPtrArray *parties = core->handover.parties;
    GPtrArray *strays = g_ptr_array_new_with_free_func((GDestroyNotify)monitor_free);

    for (guint i = 0; i < parties->len; i++) {
        if (parties->pdata[i])
            continue;
        parties->pdata[i] =
            monitor_new(core->loop, &nowhere, &core->bounds, &core_monitor_ops, core, NULL, NULL);
        g_ptr_array_add(strays, parties->pdata[i]);
    }
    return strays;
}

static void finish_user(Client *client, gpointer stray)
{
    if (client_data(client) != stray)
        return;
    client_set_data(client, NULL);
    client_finish(client);
}

/* As where one of several monitors is closed: what was under way there fails, and its clients go.
 */
static void lose_strays(Core *core, GPtrArray *strays)
{
    for (guint i = 0; i < strays->len; i++) {
        crowd_foreach(&core->crowd, finish_user, strays->pdata[i]);
        monitor_abandon(strays->pdata[i]);
    }
}

static void finish_busy(Client *client, gpointer unused)
{
    if (client_stats(client).busy)
        client_finish(client);
}

/* Where there is no agent any more, nobody answers what it was asked. */
static void lose_agent(Core *core)
{
    g_autofree char *name = core_channel_part(0);

    if (is_left(core, name))
        crowd_foreach(&core->crowd, finish_busy, NULL);
}

/* ---- Restoring, part by part ----------------------------------------------------------------- */

static void restore_monitor(Core *core, guint number)
{
    g_autofree char *name = core_monitor_part(number);
    g_auto(CoreInherited) inherited;
    const HandoverPart *part = core_inherit(core, name, &inherited);

    monitor_restore(core->handover.parties->pdata[number], part);
}

static void restore_crowd(Core *core)
{
    g_auto(CoreInherited) inherited;
    const HandoverPart *part = core_inherit(core, "crowd", &inherited);

    if (part)
        crowd_restore(&core->crowd, part);
}

static void find_freeze(Pending *pending, gpointer found)
{
    if (pending_is_class(pending, GUEST_CLASS_FREEZE))
        *(Pending **)found = pending;
}

static void restore_agent(Core *core)
{
    g_auto(CoreInherited) freeze;
    const HandoverPart *freeze_part = core_inherit(core, "freeze", &freeze);
    Pending *under_way = NULL;
    Saved saved;

    g_variant_dict_init(&saved, core->inherited);
    channels_restore(&core->channels, &core->bounds, &(HandoverPart){&core->handover, &saved});
    g_variant_dict_clear(&saved);
    core_use_channel(core);
    channels_foreach(&core->channels, find_freeze, &under_way);
    if (freeze_part)
        freeze_restore(&core->freeze, freeze_part, under_way);
}

static void restore_local(Core *core)
{
    g_auto(CoreInherited) inherited;
    const HandoverPart *part = core_inherit(core, "local", &inherited);

    if (part)
        local_restore(&core->local, part);
}

/* Returns: whether the core is not to ask anything */
static gboolean restore_leader(Core *core, Saved *from)
{
    Monitor *leader = handover_get_party(&(HandoverPart){&core->handover, from}, "leader");

    if (!g_ptr_array_find(core->monitors, leader, NULL) || saved_get_int(from, "asking"))
        return FALSE;
    core->leader = leader;
    channels_restore_lead(&core->channels, monitor_upstream(leader), from);
    return TRUE;
}

static gboolean restore_own(Core *core)
{
    gboolean quiet;
    Saved saved;

    g_variant_dict_init(&saved, core->inherited);
    core->version = saved_get_text(&saved, "greeting");
    core->oob = saved_get_int(&saved, "oob") != 0;
    core->agent_known = saved_get_int(&saved, "agent-known") != 0;
    introspect_restore(&core->introspect, &saved);
    quiet = restore_leader(core, &saved);
    g_variant_dict_clear(&saved);
    return quiet;
}

/* Which changes were told while the questions were asked, nobody knows. */
static void ask_anew(Core *core)
{
    for (guint i = 0; i < core->monitors->len; i++)
        if (upstream_is_ready(monitor_upstream(core->monitors->pdata[i])))
            core_monitor_is_ready(core, core->monitors->pdata[i]);
    if (!core->leader) {
        core_forget_qemu(core);
        channels_lead(&core->channels, NULL);
    }
    channels_resume(&core->channels, TRUE);
}

void core_forget_inherited(Core *core)
{
    g_clear_pointer(&core->inherited, g_variant_unref);
    if (core->handover.fds && core->handover.ops == &core_handover_fds)
        g_object_unref(core->handover.fds);
    core->handover.fds = NULL;
}

void core_restore(Core *core)
{
    g_autoptr(GPtrArray) strays = NULL;
    guint n_monitors = core->handover.parties->len;
    gboolean quiet;

    if (!core->inherited)
        return;
    strays = add_strays(core);
    restore_crowd(core);
    for (guint i = 0; i < n_monitors; i++)
        restore_monitor(core, i);
    quiet = restore_own(core);
    if (core->lane)
        restore_agent(core);
    else
        lose_agent(core);
    restore_local(core);
    core_forget_inherited(core);
    /* Where it was killed, a guest that may be frozen is on record, and nothing else is known. */
    if (core->recovering) {
        journal_tidy(core->journal);
        return;
    }
    /* From here on things happen. */
    if (!quiet)
        ask_anew(core);
    else
        channels_resume(&core->channels, FALSE);
    if (core->lane)
        freeze_resume(&core->freeze);
    lose_strays(core, strays);
    crowd_resume(&core->crowd);
}
