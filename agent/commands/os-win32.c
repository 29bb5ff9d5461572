/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "os-win32.h"

#include <string.h>

/* ---- System ---------------------------------------------------------------------------------- */

typedef struct {
    DWORD major, minor, build; /* the first that has the name */
    const char *id;            /* also what stands in the name, but for "R2" */
    const char *name;
} Release;

/* Newest first. Since Windows 10 only the number of the build tells them apart. */
static const Release clients[] = {
    {10, 0, 22000, "11", "11"}, {10, 0, 0, "10", "10"}, {6, 3, 0, "8.1", "8.1"},
    {6, 2, 0, "8", "8"},        {6, 1, 0, "7", "7"},    {6, 0, 0, "vista", "Vista"},
};
static const Release servers[] = {
    {10, 0, 26040, "2025", "Server 2025"}, {10, 0, 20344, "2022", "Server 2022"},
    {10, 0, 17763, "2019", "Server 2019"}, {10, 0, 0, "2016", "Server 2016"},
    {6, 3, 0, "2012r2", "Server 2012 R2"}, {6, 2, 0, "2012", "Server 2012"},
    {6, 1, 0, "2008r2", "Server 2008 R2"}, {6, 0, 0, "2008", "Server 2008"},
};

static gboolean is_since(const OSVERSIONINFOEXW *version, const Release *release)
{
    if (version->dwMajorVersion != release->major)
        return version->dwMajorVersion > release->major;
    if (version->dwMinorVersion != release->minor)
        return version->dwMinorVersion > release->minor;
    return version->dwBuildNumber >= release->build;
}

/* Returns: (nullable) */
static const Release *find_release(const OSVERSIONINFOEXW *version)
{
    gboolean is_client = version->wProductType == VER_NT_WORKSTATION;
    const Release *releases = is_client ? clients : servers;
    guint n = is_client ? G_N_ELEMENTS(clients) : G_N_ELEMENTS(servers);

    for (guint i = 0; i < n; i++) {
        if (is_since(version, &releases[i]))
            return &releases[i];
    }
    return NULL;
}

static const char *machine_of(WORD processor)
{
    enum { ARM64 = 12 };

    switch (processor) {
    case PROCESSOR_ARCHITECTURE_AMD64: return "x86_64";
    case PROCESSOR_ARCHITECTURE_INTEL: return "x86";
    case PROCESSOR_ARCHITECTURE_ARM: return "arm";
    case PROCESSOR_ARCHITECTURE_IA64: return "ia64";
    case ARM64: return "aarch64";
    default: return "unknown";
    }
}

/* Windows 11 still calls itself Windows 10 there. */
static void write_product(JsonWrite *write, const char *product, const Release *release)
{
    static const char old[] = "Windows 10";
    gboolean is_eleven = release != NULL && strcmp(release->id, "11") == 0;
    g_autofree char *name = is_eleven && g_str_has_prefix(product, old)
                                ? g_strconcat("Windows 11", product + strlen(old), NULL)
                                : g_strdup(product);

    json_write_member_string(write, "pretty-name", name);
}

void os_write_info(JsonWrite *write, const OSVERSIONINFOEXW *version, const char *product,
                   WORD processor)
{
    const Release *release = find_release(version);
    const char *variant = version->wProductType == VER_NT_WORKSTATION ? "client" : "server";
    g_autofree char *kernel =
        g_strdup_printf("%lu.%lu", version->dwMajorVersion, version->dwMinorVersion);
    g_autofree char *build = g_strdup_printf("%lu", version->dwBuildNumber);
    g_autofree char *name =
        release != NULL ? g_strconcat("Microsoft Windows ", release->name, NULL) : NULL;

    json_write_begin_object(write);
    json_write_member_string(write, "kernel-release", build);
    json_write_member_string(write, "kernel-version", kernel);
    json_write_member_string(write, "machine", machine_of(processor));
    json_write_member_string(write, "id", "mswindows");
    json_write_member_string(write, "name", "Microsoft Windows");
    if (product != NULL)
        write_product(write, product, release);
    if (release != NULL) {
        json_write_member_string(write, "version", name);
        json_write_member_string(write, "version-id", release->id);
    }
    json_write_member_string(write, "variant", variant);
    json_write_member_string(write, "variant-id", variant);
    json_write_end_object(write);
}

gboolean guest_get_osinfo(Commands *commands, Call *call, GError **error)
{
    const SystemWin32 *win32 = commands->system->win32;
    g_autofree char *product = win32->read_product();
    OSVERSIONINFOEXW version;
    SYSTEM_INFO info;

    win32->read_version(&version);
    GetNativeSystemInfo(&info);
    os_write_info(call_result(call), &version, product, info.wProcessorArchitecture);
    return TRUE;
}

/* ---- Name and zone --------------------------------------------------------------------------- */

gboolean guest_get_host_name(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    wchar_t wide[256];
    DWORD len = G_N_ELEMENTS(wide);
    g_autofree char *name = NULL;

    if (GetComputerNameExW(ComputerNameDnsHostname, wide, &len))
        name = g_utf16_to_utf8(wide, -1, NULL, NULL, NULL);
    json_write_begin_object(write);
    json_write_member_string(write, "host-name", name != NULL ? name : "localhost");
    json_write_end_object(write);
    return TRUE;
}

/* Windows counts how far UTC is ahead, in minutes. */
gboolean guest_get_timezone(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    TIME_ZONE_INFORMATION zone = {0};
    gboolean is_summer = GetTimeZoneInformation(&zone) == TIME_ZONE_ID_DAYLIGHT;
    LONG bias = zone.Bias + (is_summer ? zone.DaylightBias : zone.StandardBias);
    g_autofree char *name =
        g_utf16_to_utf8(is_summer ? zone.DaylightName : zone.StandardName, -1, NULL, NULL, NULL);

    json_write_begin_object(write);
    if (name != NULL && *name != '\0')
        json_write_member_string(write, "zone", name);
    json_write_member_int64(write, "offset", -60 * (gint64)bias);
    json_write_end_object(write);
    return TRUE;
}
