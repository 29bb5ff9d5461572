/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each filesystem is trimmed once, and one that fails stops no other. */

#include "agent/fixture.h"

#define TRIM "{\"execute\": \"guest-fstrim\", \"arguments\": {\"minimum\": 4096}}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
    fixture->mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n"
                      "2 1 8:2 / /b rw - vfat /dev/sda2 rw\n"
                      "3 1 8:1 / /c rw - ext4 /dev/sda1 rw\n";
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void test_trim(CommandFixture *fixture, gconstpointer data)
{
    fixture->untrimmable = "/b";
    fixture_check(fixture, TRIM,
                  "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                  "\"minimum\": 4096}, {\"path\": \"/b\", \"error\": \"trim not "
                  "supported\"}]}}");
    fixture_check(fixture, "{\"execute\": \"guest-fstrim\"}",
                  "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                  "\"minimum\": 512}, {\"path\": \"/b\", \"error\": \"trim not "
                  "supported\"}]}}");
}

static void test_hidden(CommandFixture *fixture, gconstpointer data)
{
    fixture->hidden = "/a";
    fixture->untrimmable = "/c";
    fixture_check(fixture, TRIM,
                  "{\"return\": {\"paths\": [{\"path\": \"/c\", \"error\": \"trim not "
                  "supported\"}, {\"path\": \"/b\", \"trimmed\": 8192, \"minimum\": 4096}]}}");
    fixture->hidden = "/b";
    fixture->untrimmable = NULL;
    fixture_check(fixture, TRIM,
                  "{\"return\": {\"paths\": [{\"path\": \"/a\", \"trimmed\": 8192, "
                  "\"minimum\": 4096}]}}");
}

static void test_nothing(CommandFixture *fixture, gconstpointer data)
{
    fixture->mounts = "";
    fixture_check(fixture, TRIM, "{\"return\": {\"paths\": []}}");
    fixture->mounts = NULL;
    fixture_check_error(fixture, TRIM, "no mounts");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/trim/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("trim", test_trim);
    ADD("hidden", test_hidden);
    ADD("nothing", test_nothing);
#undef ADD
    return g_test_run();
}
