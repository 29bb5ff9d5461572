/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Every Windows is told by its own name, the newest too. */

#include "os-win32.h"

#include <string.h>

#include "agent/fixture-win32.h"

static char *describe(DWORD major, DWORD minor, DWORD build, BYTE type, const char *product)
{
    const OSVERSIONINFOEXW version = {
        .dwMajorVersion = major,
        .dwMinorVersion = minor,
        .dwBuildNumber = build,
        .wProductType = type,
    };
    GString *text = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, text);
    os_write_info(&write, &version, product, PROCESSOR_ARCHITECTURE_AMD64);
    return g_string_free(text, FALSE);
}

static void test_names(void)
{
    static const struct {
        DWORD major, minor, build;
        BYTE type;
        const char *name, *id;
    } cases[] = {
        {6, 1, 7601, VER_NT_WORKSTATION, "7", "7"},
        {6, 2, 9200, VER_NT_WORKSTATION, "8", "8"},
        {6, 3, 9600, VER_NT_WORKSTATION, "8.1", "8.1"},
        {10, 0, 10240, VER_NT_WORKSTATION, "10", "10"},
        {10, 0, 19045, VER_NT_WORKSTATION, "10", "10"},
        {10, 0, 22000, VER_NT_WORKSTATION, "11", "11"},
        {10, 0, 26200, VER_NT_WORKSTATION, "11", "11"},
        {11, 0, 1, VER_NT_WORKSTATION, "11", "11"},
        {6, 1, 7601, VER_NT_SERVER, "Server 2008 R2", "2008r2"},
        {6, 2, 9200, VER_NT_SERVER, "Server 2012", "2012"},
        {6, 3, 9600, VER_NT_DOMAIN_CONTROLLER, "Server 2012 R2", "2012r2"},
        {10, 0, 14393, VER_NT_SERVER, "Server 2016", "2016"},
        {10, 0, 17763, VER_NT_SERVER, "Server 2019", "2019"},
        {10, 0, 20348, VER_NT_SERVER, "Server 2022", "2022"},
        {10, 0, 26100, VER_NT_SERVER, "Server 2025", "2025"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *found =
            describe(cases[i].major, cases[i].minor, cases[i].build, cases[i].type, NULL);
        g_autofree char *expected =
            g_strdup_printf("\"version\": \"Microsoft Windows %s\", \"version-id\": \"%s\"",
                            cases[i].name, cases[i].id);

        if (strstr(found, expected) == NULL)
            g_assert_cmpstr(found, ==, expected);
    }
}

static void test_whole(void)
{
    g_autofree char *found = describe(10, 0, 22631, VER_NT_WORKSTATION, "Windows 10 Pro");

    g_assert_cmpstr(found, ==,
                    "{\"kernel-release\": \"22631\", \"kernel-version\": \"10.0\", "
                    "\"machine\": \"x86_64\", \"id\": \"mswindows\", "
                    "\"name\": \"Microsoft Windows\", \"pretty-name\": \"Windows 11 Pro\", "
                    "\"version\": \"Microsoft Windows 11\", \"version-id\": \"11\", "
                    "\"variant\": \"client\", \"variant-id\": \"client\"}");
}

/* Older than anything that there is a name for. */
static void test_unknown(void)
{
    g_autofree char *found = describe(5, 1, 2600, VER_NT_WORKSTATION, "Microsoft Windows XP");

    g_assert_null(strstr(found, "version-id"));
    g_assert_nonnull(strstr(found, "\"pretty-name\": \"Microsoft Windows XP\""));
}

static void test_commands(void)
{
    CommandFixture fixture;
    g_autofree char *info = NULL;
    g_autofree char *name = NULL;
    g_autofree char *zone = NULL;

    fixture_init(&fixture, NULL);
    fixture_win32.version = (OSVERSIONINFOEXW){
        .dwMajorVersion = 10, .dwBuildNumber = 26100, .wProductType = VER_NT_SERVER};
    fixture_win32.product = "Windows Server 2025 Datacenter";
    info = fixture_ask(&fixture, "{\"execute\": \"guest-get-osinfo\"}");
    g_assert_nonnull(strstr(info, "\"pretty-name\": \"Windows Server 2025 Datacenter\""));
    name = fixture_ask(&fixture, "{\"execute\": \"guest-get-host-name\"}");
    g_assert_true(g_str_has_prefix(name, "{\"return\": {\"host-name\": \""));
    zone = fixture_ask(&fixture, "{\"execute\": \"guest-get-timezone\"}");
    g_assert_nonnull(strstr(zone, "\"offset\": "));
    fixture_clear(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/os/names", test_names);
    g_test_add_func("/os/whole", test_whole);
    g_test_add_func("/os/unknown", test_unknown);
    g_test_add_func("/os/commands", test_commands);
    return g_test_run();
}
