/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "metrics.h"

#include <gmodule.h>

/* Returns: (transfer full): where the module is: as the library, by the way from the program to it,
 * so that an installation may be moved; else where it was built */
static char *find_module(void)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = g_path_get_dirname(program ? program : "");
    g_autofree char *installed = g_canonicalize_filename(METRICS_MODULE_FOLDER, folder);
    g_autofree char *path = g_build_filename(installed, METRICS_MODULE, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    return g_build_filename(folder, METRICS_MODULE, NULL);
}

gboolean metrics_serve(QgaProxy *proxy, const char *address, const char *vm, GError **error)
{
    g_autofree char *path = find_module();
    gpointer serve;
    GModule *module;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "there is no %s: built without libmicrohttpd", METRICS_MODULE);
        return FALSE;
    }
    module = g_module_open(path, G_MODULE_BIND_LOCAL);
    if (!module || !g_module_symbol(module, METRICS_SYMBOL, &serve)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "%s", g_module_error());
        return FALSE;
    }
    g_module_make_resident(module);
    return ((MetricsServe)serve)(proxy, address, vm, error);
}
