/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-libvirt DOMAIN ping CLIENTS TIMES           guest-ping, each client with its own connection
 * bench-libvirt DOMAIN snapshot TIMES FOLDER DISK... quiesced external snapshots of some disks
 *
 * By libvirt's C API: what a manager pays that goes this way.
 */

#include "turn.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

static const char ping[] = "{\"execute\":\"guest-ping\"}";

typedef struct {
    virConnectPtr connection;
    virDomainPtr domain;
    guint times;
    Turn turn; /* its own: the clients ask side by side */
} Caller;

typedef struct {
    Caller *callers;
    guint count;
    guint number; /* of the last snapshot */
    const char *folder;
    char **disks;
} Callers;

static void meet(Caller *caller, const char *domain, guint times)
{
    *caller = (Caller){
        virConnectOpen("qemu:///system"), NULL, times, {g_array_new(FALSE, FALSE, sizeof(gint64))}};
    if (!caller->connection)
        turn_fail("%s", virGetLastErrorMessage());
    caller->domain = virDomainLookupByName(caller->connection, domain);
    if (!caller->domain)
        turn_fail("%s", virGetLastErrorMessage());
}

static gpointer call(gpointer data)
{
    Caller *caller = data;

    for (guint i = 0; i < caller->times; i++) {
        gint64 began = turn_now_ns();
        char *reply = virDomainQemuAgentCommand(caller->domain, ping,
                                                VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT, 0);

        if (!reply)
            turn_fail("%s", virGetLastErrorMessage());
        turn_add(&caller->turn, turn_now_ns() - began);
        free(reply);
    }
    return NULL;
}

static void run_pings(gpointer data, Turn *turn)
{
    Callers *all = data;
    g_autoptr(GPtrArray) threads = g_ptr_array_new();

    for (guint i = 0; i < all->count; i++)
        g_ptr_array_add(threads, g_thread_new("caller", call, &all->callers[i]));
    for (guint i = 0; i < all->count; i++) {
        GArray *ns = all->callers[i].turn.ns;

        g_thread_join(g_ptr_array_index(threads, i));
        g_array_append_vals(turn->ns, ns->data, ns->len);
        g_array_set_size(ns, 0);
    }
}

static char *describe_snapshot(Callers *all)
{
    GString *xml = g_string_new(NULL);

    all->number++;
    g_string_printf(xml, "<domainsnapshot><name>n%u</name><disks>", all->number);
    for (char **disk = all->disks; *disk; disk++)
        g_string_append_printf(
            xml, "<disk name='%s' snapshot='external'><source file='%s/%s.%u'/></disk>", *disk,
            all->folder, *disk, all->number);
    g_string_append(xml, "</disks></domainsnapshot>");
    return g_string_free(xml, FALSE);
}

/* Filesystems that were thawed that long ago are at rest again: see group_guest.py. */
enum { REST_MS = 200 };

static void run_snapshots(gpointer data, Turn *turn)
{
    Callers *all = data;

    for (guint i = 0; i < all->callers->times; i++) {
        g_autofree char *xml = describe_snapshot(all);
        virDomainSnapshotPtr snapshot;
        gint64 began;

        g_usleep(REST_MS * 1000);
        began = turn_now_ns();
        snapshot = virDomainSnapshotCreateXML(
            all->callers->domain, xml,
            VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE |
                VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC);

        if (!snapshot)
            turn_fail("%s", virGetLastErrorMessage());
        turn_add(turn, turn_now_ns() - began);
        virDomainSnapshotFree(snapshot);
    }
}

int main(int argc, char **argv)
{
    Callers all = {.count = 1};
    gboolean snapshots = argc > 5 && g_str_equal(argv[2], "snapshot");

    g_set_prgname("bench-libvirt");
    if (!snapshots && (argc != 5 || !g_str_equal(argv[2], "ping")))
        turn_fail("usage: bench-libvirt DOMAIN ping CLIENTS TIMES | snapshot TIMES FOLDER DISK...");
    if (snapshots) {
        all.folder = argv[4];
        all.disks = argv + 5;
    } else {
        all.count = (guint)strtoul(argv[3], NULL, 10);
    }
    all.callers = g_new(Caller, all.count);
    for (guint i = 0; i < all.count; i++)
        meet(&all.callers[i], argv[1], (guint)strtoul(argv[snapshots ? 3 : 4], NULL, 10));
    turn_serve(snapshots ? run_snapshots : run_pings, &all);
    return EXIT_SUCCESS;
}
