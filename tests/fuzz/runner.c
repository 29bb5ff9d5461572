/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * runner FOLDER…: a fuzz target over its corpus, where there is no libFuzzer: each file is one
 * test.
 */

#include "fuzz.h"

static void run_file(gconstpointer path)
{
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;
    gsize len;

    g_file_get_contents(path, &content, &len, &error);
    g_assert_no_error(error);
    g_autofree char *exact = g_memdup2(content, len);
    g_assert_cmpint(LLVMFuzzerTestOneInput((const guint8 *)exact, len), ==, 0);
}

static void add_folder(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) folder = g_dir_open(path, 0, &error);
    g_autofree char *base = g_path_get_basename(path);
    const char *name;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(folder))) {
        g_autofree char *test = g_strdup_printf("/%s/%s", base, name);

        g_test_add_data_func_full(test, g_build_filename(path, name, NULL), run_file, g_free);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (int i = 1; i < argc; i++)
        add_folder(argv[i]);
    return g_test_run();
}
