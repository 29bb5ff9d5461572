/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each filesystem is trimmed once, and one that fails stops no other. */

#include "agent/bench.h"

#define TRIM "{\"execute\": \"guest-fstrim\", \"arguments\": {\"minimum\": 4096}}"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL, 0);
    bench->mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n"
                    "2 1 8:2 / /b rw - vfat /dev/sda2 rw\n"
                    "3 1 8:1 / /c rw - ext4 /dev/sda1 rw\n";
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void test_trim(Bench *bench, gconstpointer data)
{
    bench->untrimmable = "/b";
    bench_check(bench, TRIM,
                "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                "\"minimum\": 4096}, {\"path\": \"/b\", \"error\": \"trim not "
                "supported\"}]}}");
    bench_check(bench, "{\"execute\": \"guest-fstrim\"}",
                "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                "\"minimum\": 512}, {\"path\": \"/b\", \"error\": \"trim not "
                "supported\"}]}}");
}

static void test_hidden(Bench *bench, gconstpointer data)
{
    bench->hidden = "/a";
    bench->untrimmable = "/c";
    bench_check(bench, TRIM,
                "{\"return\": {\"paths\": [{\"path\": \"/c\", \"error\": \"trim not "
                "supported\"}, {\"path\": \"/b\", \"trimmed\": 8192, \"minimum\": 4096}]}}");
    bench->hidden = "/b";
    bench->untrimmable = NULL;
    bench_check(bench, TRIM,
                "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                "\"minimum\": 4096}]}}");
}

static void test_nothing(Bench *bench, gconstpointer data)
{
    bench->mounts = "";
    bench_check(bench, TRIM, "{\"return\": {\"paths\": []}}");
    bench->mounts = NULL;
    bench_check_error(bench, TRIM, "no mounts");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/trim/" name, Bench, NULL, set_up, function, tear_down)
    ADD("trim", test_trim);
    ADD("hidden", test_hidden);
    ADD("nothing", test_nothing);
#undef ADD
    return g_test_run();
}
