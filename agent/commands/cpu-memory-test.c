/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Processors and memory blocks of a machine made of files: what is told of them, and which of them
 * are told what. */

#include "agent/bench.h"

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

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void check_file(Bench *bench, const char *path, const char *expected)
{
    g_autofree char *text = bench_read(bench, path);

    g_assert_cmpstr(text, ==, expected);
}

static void add_cpus(Bench *bench)
{
    bench_write(bench, CPU "cpu0/uevent", "");
    bench_write(bench, CPU "cpu2/online", "1\n");
    bench_write(bench, CPU "cpu10/online", "0\n");
    bench_write(bench, CPU "cpufreq/online", "1\n");
    bench_write(bench, CPU "cpu3x/online", "1\n");
    bench_write(bench, CPU "online", "0-2\n");
}

static void test_get_vcpus(Bench *bench, gconstpointer data)
{
    add_cpus(bench);
    bench_check(bench, GET_VCPUS,
                "{\"return\": [{\"logical-id\": 0, \"online\": true, \"can-offline\": false}, "
                "{\"logical-id\": 2, \"online\": true, \"can-offline\": true}, "
                "{\"logical-id\": 10, \"online\": false, \"can-offline\": true}]}");
}

static void test_no_vcpus(Bench *bench, gconstpointer data)
{
    bench_check_error(bench, GET_VCPUS,
                      "open(\"/sys/devices/system/cpu/\"): No such file or directory");
}

static void test_set_vcpus(Bench *bench, gconstpointer data)
{
    add_cpus(bench);
    bench_check(bench, SET_VCPUS(VCPU(2, false) ", " VCPU(10, true)), "{\"return\": 2}");
    check_file(bench, CPU "cpu2/online", "0\n"); /* two bytes were there, one was written */
    check_file(bench, CPU "cpu10/online", "1\n");
    bench_check(bench, SET_VCPUS(""), "{\"return\": 0}");
    bench_check(bench, SET_VCPUS(VCPU(0, true)), "{\"return\": 1}");
}

/* The first failure ends it; only where it is the first of all is it told. */
static void test_set_vcpus_fails(Bench *bench, gconstpointer data)
{
    add_cpus(bench);
    bench_check_error(bench, SET_VCPUS(VCPU(0, false) ", " VCPU(2, false)),
                      "logical processor #0 can't be offlined");
    bench_check(bench, SET_VCPUS(VCPU(2, true) ", " VCPU(99, true) ", " VCPU(2, false)),
                "{\"return\": 1}");
    check_file(bench, CPU "cpu2/online", "1\n");
    bench_check_error(bench, SET_VCPUS(VCPU(99, true)),
                      "open(\"/sys/devices/system/cpu/cpu99/\"): No such file or directory");
    bench_check_error(bench, SET_VCPUS(VCPU(-1, true)),
                      "open(\"/sys/devices/system/cpu/cpu-1/\"): No such file or directory");
    bench_check_error(bench, SET_VCPUS("{\"logical-id\": 2}"),
                      "Parameter 'vcpus[0].online' is missing");
}

static void add_blocks(Bench *bench)
{
    bench_write(bench, MEMORY "memory0/state", "online\n");
    bench_write(bench, MEMORY "memory0/removable", "0\n");
    bench_write(bench, MEMORY "memory2/state", "offline\n");
    bench_write(bench, MEMORY "memory2/removable", "1\n");
    bench_write(bench, MEMORY "memory10/state", "going-offline\n");
    bench_write(bench, MEMORY "memory/state", "online\n");
    bench_write(bench, MEMORY "memory18446744073709551616/state", "online\n");
    bench_write(bench, MEMORY "block_size_bytes", "8000000\n");
}

static void test_get_blocks(Bench *bench, gconstpointer data)
{
    add_blocks(bench);
    bench_check(bench, GET_BLOCKS,
                "{\"return\": [{\"phys-index\": 0, \"online\": true, \"can-offline\": false}, "
                "{\"phys-index\": 2, \"online\": false, \"can-offline\": true}, "
                "{\"phys-index\": 10, \"online\": false, \"can-offline\": false}]}");
    bench_check(bench, BLOCK_INFO, "{\"return\": {\"size\": 134217728}}");
}

static void test_no_blocks(Bench *bench, gconstpointer data)
{
    static const char no_size[] = "open sysfs file \"block_size_bytes\": No such file or directory";

    bench_check(bench, GET_BLOCKS, "{\"return\": []}");
    bench_check_error(bench, BLOCK_INFO, no_size);
    bench_check(bench, SET_BLOCKS(BLOCK(0, true)),
                "{\"return\": [{\"phys-index\": 0, \"response\": \"not-found\", \"error-code\": "
                "2}]}");
    bench_write(bench, MEMORY "uevent", "");
    bench_check_error(bench, GET_BLOCKS, "guest reported zero memory blocks!");
    bench_check_error(bench, BLOCK_INFO, no_size);
    bench_write(bench, MEMORY "block_size_bytes", "0x80 and more\n");
    bench_check_error(bench, BLOCK_INFO, "the size of memory blocks is no number");
}

static void test_set_blocks(Bench *bench, gconstpointer data)
{
    add_blocks(bench);
    bench_check(
        bench,
        SET_BLOCKS(BLOCK(2, true) ", " BLOCK(0, true) ", " BLOCK(0, false) ", " BLOCK(77, true)),
        "{\"return\": [{\"phys-index\": 2, \"response\": \"success\"}, "
        "{\"phys-index\": 0, \"response\": \"success\"}, "
        "{\"phys-index\": 0, \"response\": \"operation-not-supported\"}, "
        "{\"phys-index\": 77, \"response\": \"not-found\", \"error-code\": 2}]}");
    check_file(bench, MEMORY "memory0/state", "online\n");
    check_file(bench, MEMORY "memory2/state", "onlinee\n"); /* the rest of what was there */
    bench_check(bench, SET_BLOCKS(""), "{\"return\": []}");
}

/* What the kernel says is handed on. */
static void test_set_block_fails(Bench *bench, gconstpointer data)
{
    g_autofree char *path = g_build_filename(bench->directory, MEMORY "memory5/state", NULL);

    g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
    bench_check(bench, SET_BLOCKS(BLOCK(5, true)),
                "{\"return\": [{\"phys-index\": 5, \"response\": \"operation-failed\", "
                "\"error-code\": 21}]}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/cpu-memory/" name, Bench, NULL, set_up, function, tear_down)
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
