/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A manager of virtual machines that come and go in a folder, as an application with its own main
 * loop:
 *
 *     manager /run/vms
 *
 * A machine NAME exists once its QEMU has created NAME.qmp, its monitor; its agent's channel is
 * NAME.qga. Clients connect to NAME.sock until QEMU ends. SIGUSR1 prints the status of all
 * machines, SIGTERM ends the manager and leaves the machines alone.
 *
 * Built by `cc manager.c $(pkg-config --cflags --libs qga-proxy-1)`.
 */

#include <gio/gio.h>
#include <glib-unix.h>
#include <qga-proxy.h>
#include <signal.h>
#include <string.h>

#define MONITOR_SUFFIX ".qmp"

typedef struct {
    GFile *folder;
    GFileMonitor *watch;
    GHashTable *machines; /* Machine by name */
} Manager;

typedef struct {
    Manager *manager;
    char *name;
    QgaProxy *proxy;
} Machine;

/* ---- One machine ----------------------------------------------------------------------------- */

static void machine_free(Machine *machine)
{
    g_object_unref(machine->proxy);
    g_free(machine->name);
    g_free(machine);
}

/* Drops the last reference to the proxy, which a handler of this signal may do. */
static void on_closed(QgaProxy *proxy, Machine *machine)
{
    g_print("%s has ended\n", machine->name);
    g_hash_table_remove(machine->manager->machines, machine->name);
}

static Machine *machine_new(Manager *manager, const char *name, GError **error)
{
    g_autofree char *folder = g_file_get_path(manager->folder);
    g_autofree char *monitor = g_strdup_printf("unix:%s/%s" MONITOR_SUFFIX, folder, name);
    g_autofree char *agent = g_strdup_printf("unix:%s/%s.qga", folder, name);
    g_autofree char *clients = g_strdup_printf("unix:%s/%s.sock", folder, name);
    g_autoptr(QgaProxy) proxy = qga_proxy_new(monitor, agent, error);
    Machine *machine;

    if (!proxy || !qga_proxy_add_listener(proxy, clients, error))
        return NULL;
    machine = g_new(Machine, 1);
    *machine = (Machine){manager, g_strdup(name), g_steal_pointer(&proxy)};
    g_signal_connect(machine->proxy, "closed", G_CALLBACK(on_closed), machine);
    qga_proxy_start(machine->proxy);
    return machine;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void take_note(Manager *manager, const char *file)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;
    Machine *machine;

    if (!g_str_has_suffix(file, MONITOR_SUFFIX))
        return;
    name = g_strndup(file, strlen(file) - strlen(MONITOR_SUFFIX));
    if (g_hash_table_contains(manager->machines, name))
        return;
    machine = machine_new(manager, name, &error);
    if (!machine) {
        g_printerr("%s: %s\n", name, error->message);
        return;
    }
    g_hash_table_insert(manager->machines, machine->name, machine);
    g_print("%s is served\n", name);
}

static void on_changed(GFileMonitor *watch, GFile *file, GFile *other, GFileMonitorEvent event,
                       Manager *manager)
{
    g_autofree char *name = g_file_get_basename(file);

    if (event == G_FILE_MONITOR_EVENT_CREATED)
        take_note(manager, name);
}

/* Starts watching before it lists the folder, so that it misses no machine. */
static gboolean watch(Manager *manager, GError **error)
{
    g_autoptr(GFileEnumerator) files = NULL;
    GFileInfo *info;

    manager->watch = g_file_monitor_directory(manager->folder, G_FILE_MONITOR_NONE, NULL, error);
    if (!manager->watch)
        return FALSE;
    g_signal_connect(manager->watch, "changed", G_CALLBACK(on_changed), manager);
    files = g_file_enumerate_children(manager->folder, G_FILE_ATTRIBUTE_STANDARD_NAME,
                                      G_FILE_QUERY_INFO_NONE, NULL, error);
    if (!files)
        return FALSE;
    while (g_file_enumerator_iterate(files, &info, NULL, NULL, error)) {
        if (!info)
            return TRUE;
        take_note(manager, g_file_info_get_name(info));
    }
    return FALSE;
}

/* ---- The application ------------------------------------------------------------------------- */

static gboolean on_show(gpointer user_data)
{
    Manager *manager = user_data;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, manager->machines);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Machine *machine = value;
        g_autofree char *status = qga_proxy_dup_status(machine->proxy);

        g_print("%s: %s\n", machine->name, status);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_terminate(gpointer application)
{
    g_application_release(application);
    return G_SOURCE_REMOVE;
}

static void on_open(GApplication *application, GFile **files, gint count, gchar *hint,
                    Manager *manager)
{
    g_autoptr(GError) error = NULL;

    manager->folder = g_object_ref(files[0]);
    if (watch(manager, &error))
        g_application_hold(application);
    else
        g_printerr("%s\n", error->message);
}

int main(int argc, char **argv)
{
    g_autoptr(GApplication) application = NULL;
    Manager manager = {0};
    int status;

    if (argc != 2) {
        g_printerr("usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    application = g_application_new("org.example.Manager",
                                    G_APPLICATION_NON_UNIQUE | G_APPLICATION_HANDLES_OPEN);
    manager.machines =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)machine_free);
    g_signal_connect(application, "open", G_CALLBACK(on_open), &manager);
    g_unix_signal_add(SIGUSR1, on_show, &manager);
    g_unix_signal_add(SIGTERM, on_terminate, application);
    status = g_application_run(application, argc, argv);
    g_hash_table_unref(manager.machines);
    g_clear_object(&manager.watch);
    g_clear_object(&manager.folder);
    return status;
}
