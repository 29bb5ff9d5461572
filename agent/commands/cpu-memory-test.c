/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Processors and memory blocks of a machine made of files: what is told of them, and which of them
 * are told what. */

#include "agent/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define CPU           "/sys/devices/system/cpu/"
#define MEMORY        "/sys/devices/system/memory/"
#define GET_VCPUS     "{\"execute\": \"guest-get-vcpus\"}"
#define SET_VCPUS(of) "{\"execute\": \"guest-set-vcpus\", \"arguments\": {\"vcpus\": [" of "]}}"
#define VCPU(id, on)  "{\"logical-id\": " #id ", \"online\": " #on "}"
#define GET_BLOCKS    "{\"execute\": \"guest-get-memory-blocks\"}"
#define SET_BLOCKS(of) \
    "{\"execute\": \"guest-set-memory-blocks\", \"arguments\": {\"mem-blks\": [" of "]}}"
#define BLOCK(index, on) "{\"phys-index\": " #index ", \"online\": " #on "}"
#define BLOCK_INFO       "{\"execute\": \"guest-get-memory-block-info\"}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void check_file(CommandFixture *fixture, const char *path, const char *expected)
{
    g_autofree char *text = fixture_read(fixture, path);

    g_assert_cmpstr(text, ==, expected);
}

static void add_cpus(CommandFixture *fixture)
{
    fixture_write(fixture, CPU "cpu0/uevent", "");
    fixture_write(fixture, CPU "cpu2/online", "1\n");
    fixture_write(fixture, CPU "cpu10/online", "0\n");
    fixture_write(fixture, CPU "cpufreq/online", "1\n");
    fixture_write(fixture, CPU "cpu3x/online", "1\n");
    fixture_write(fixture, CPU "online", "0-2\n");
}

static void test_get_vcpus(CommandFixture *fixture, gconstpointer data)
{
    add_cpus(fixture);
    fixture_check(fixture, GET_VCPUS,
                  "{\"return\": [{\"logical-id\": 0, \"online\": true, \"can-offline\": false}, "
                  "{\"logical-id\": 2, \"online\": true, \"can-offline\": true}, "
                  "{\"logical-id\": 10, \"online\": false, \"can-offline\": true}]}");
}

static void test_no_vcpus(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, GET_VCPUS,
                        "open(\"/sys/devices/system/cpu/\"): No such file or directory");
}

static void test_set_vcpus(CommandFixture *fixture, gconstpointer data)
{
    add_cpus(fixture);
    fixture_check(fixture, SET_VCPUS(VCPU(2, false) ", " VCPU(10, true)), "{\"return\": 2}");
    check_file(fixture, CPU "cpu2/online", "0\n"); /* two bytes were there, one was written */
    check_file(fixture, CPU "cpu10/online", "1\n");
    fixture_check(fixture, SET_VCPUS(""), "{\"return\": 0}");
    fixture_check(fixture, SET_VCPUS(VCPU(0, true)), "{\"return\": 1}");
}

/* The first failure ends it; only where it is the first of all is it told. */
static void test_set_vcpus_fails(CommandFixture *fixture, gconstpointer data)
{
    add_cpus(fixture);
    fixture_check_error(fixture, SET_VCPUS(VCPU(0, false) ", " VCPU(2, false)),
                        "logical processor #0 can't be offlined");
    fixture_check(fixture, SET_VCPUS(VCPU(2, true) ", " VCPU(99, true) ", " VCPU(2, false)),
                  "{\"return\": 1}");
    check_file(fixture, CPU "cpu2/online", "1\n");
    fixture_check_error(fixture, SET_VCPUS(VCPU(99, true)),
                        "open(\"/sys/devices/system/cpu/cpu99/\"): No such file or directory");
    fixture_check_error(fixture, SET_VCPUS(VCPU(-1, true)),
                        "open(\"/sys/devices/system/cpu/cpu-1/\"): No such file or directory");
    fixture_check_error(fixture, SET_VCPUS("{\"logical-id\": 2}"),
                        "Parameter 'vcpus[0].online' is missing");
}

static void add_blocks(CommandFixture *fixture)
{
    fixture_write(fixture, MEMORY "memory0/state", "online\n");
    fixture_write(fixture, MEMORY "memory0/removable", "0\n");
    fixture_write(fixture, MEMORY "memory2/state", "offline\n");
    fixture_write(fixture, MEMORY "memory2/removable", "1\n");
    fixture_write(fixture, MEMORY "memory10/state", "going-offline\n");
    fixture_write(fixture, MEMORY "memory/state", "online\n");
    fixture_write(fixture, MEMORY "memory18446744073709551616/state", "online\n");
    fixture_write(fixture, MEMORY "block_size_bytes", "8000000\n");
}

static void test_get_blocks(CommandFixture *fixture, gconstpointer data)
{
    add_blocks(fixture);
    fixture_check(fixture, GET_BLOCKS,
                  "{\"return\": [{\"phys-index\": 0, \"online\": true, \"can-offline\": false}, "
                  "{\"phys-index\": 2, \"online\": false, \"can-offline\": true}, "
                  "{\"phys-index\": 10, \"online\": false, \"can-offline\": false}]}");
    fixture_check(fixture, BLOCK_INFO, "{\"return\": {\"size\": 134217728}}");
}

static void test_no_blocks(CommandFixture *fixture, gconstpointer data)
{
    static const char no_size[] = "open sysfs file \"block_size_bytes\": No such file or directory";

    fixture_check(fixture, GET_BLOCKS, "{\"return\": []}");
    fixture_check_error(fixture, BLOCK_INFO, no_size);
    fixture_check(fixture, SET_BLOCKS(BLOCK(0, true)),
                  "{\"return\": [{\"phys-index\": 0, \"response\": \"not-found\", \"error-code\": "
                  "2}]}");
    fixture_write(fixture, MEMORY "uevent", "");
    fixture_check_error(fixture, GET_BLOCKS, "guest reported zero memory blocks!");
    fixture_check_error(fixture, BLOCK_INFO, no_size);
    fixture_write(fixture, MEMORY "block_size_bytes", "0x80 and more\n");
    fixture_check_error(fixture, BLOCK_INFO, "the size of memory blocks is no number");
}

static void test_set_blocks(CommandFixture *fixture, gconstpointer data)
{
    add_blocks(fixture);
    fixture_check(
        fixture,
        SET_BLOCKS(BLOCK(2, true) ", " BLOCK(0, true) ", " BLOCK(0, false) ", " BLOCK(77, true)),
        "{\"return\": [{\"phys-index\": 2, \"response\": \"success\"}, "
        "{\"phys-index\": 0, \"response\": \"success\"}, "
        "{\"phys-index\": 0, \"response\": \"success\"}, "
        "{\"phys-index\": 77, \"response\": \"not-found\", \"error-code\": 2}]}");
    check_file(fixture, MEMORY "memory0/state", "offline");   /* whatever `removable` says */
    check_file(fixture, MEMORY "memory2/state", "onlinee\n"); /* the rest of what was there */
    fixture_check(fixture, SET_BLOCKS(""), "{\"return\": []}");
}

/* What the kernel says is handed on. */
static void test_set_block_fails(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, MEMORY "memory5/state", NULL);

    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
    fixture_check(fixture, SET_BLOCKS(BLOCK(5, true)),
                  "{\"return\": [{\"phys-index\": 5, \"response\": \"operation-failed\", "
                  "\"error-code\": 21}]}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/cpu-memory/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("get-vcpus", test_get_vcpus);
    ADD("no-vcpus", test_no_vcpus);
    ADD("set-vcpus", test_set_vcpus);
    ADD("set-vcpus-fails", test_set_vcpus_fails);
    ADD("get-blocks", test_get_blocks);
    ADD("no-blocks", test_no_blocks);
    ADD("set-blocks", test_set_blocks);
    ADD("set-block-fails", test_set_block_fails);
#undef ADD
    return g_test_run();
}
