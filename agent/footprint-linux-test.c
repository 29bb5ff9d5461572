/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is unmapped comes back as it was, and what was changed since the start is not unmapped. */

#include "agent/footprint.h"

#include <glib.h>
#include <stdio.h>

static int changed = 1;
static const char *const words[] = {"where the loader", "has put them"}; /* so it writes there */

/* Pages that are mapped from files. */
static guint count_file_pages(void)
{
    g_autofree char *text = NULL;
    guint size, resident, file;

    g_assert_true(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    g_assert_cmpint(sscanf(text, "%u %u %u", &size, &resident, &file), ==, 3);
    return file;
}

static void test_trim(void)
{
    g_autofree char *kept = g_strdup("kept");
    guint before, behind;

    changed = 2;
    before = count_file_pages();
    footprint_trim();
    behind = count_file_pages();
    g_assert_cmpuint(behind, <, before);
    g_assert_cmpint(changed, ==, 2);
    g_assert_cmpstr(words[1], ==, "has put them");
    g_assert_cmpstr(kept, ==, "kept");
    footprint_trim();
    g_assert_cmpuint(count_file_pages(), <, before);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/footprint/trim", test_trim);
    return g_test_run();
}
