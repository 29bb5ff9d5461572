/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/system.h"

#include "agent/system-win32.h"

#include <pdh.h>
#include <powrprof.h>
#include <wtsapi32.h>

#include "agent/accounts-win32.h"
#include "agent/log.h"
#include "agent/registry-win32.h"
#include "agent/run.h"
#include "agent/vss-win32.h"
#include "agent/win32-error.h"
#include "common/qmp-error.h"

/* The one call that tells every program the truth; no header for programs has it. */
LONG NTAPI RtlGetVersion(OSVERSIONINFOEXW *version);

/* ---- For every system ------------------------------------------------------------------------ */

static void set_frozen(System *system, gboolean frozen)
{
    log_set_frozen(frozen);
}

static char *find_tool(System *system, const char *name)
{
    wchar_t directory[MAX_PATH];
    UINT len = GetSystemDirectoryW(directory, MAX_PATH);
    g_autofree char *folder = NULL;
    g_autofree char *path = NULL;

    if (len == 0 || len >= MAX_PATH)
        return NULL;
    folder = g_utf16_to_utf8(directory, -1, NULL, NULL, NULL);
    path = g_strdup_printf("%s\\%s.exe", folder, name);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&path) : NULL;
}

/* Services have most rights, but must say that they want to use them. */
static DWORD enable_privilege(const wchar_t *name)
{
    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1};
    HANDLE token;
    DWORD code = ERROR_SUCCESS;

    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token))
        return GetLastError();
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    if (!LookupPrivilegeValueW(NULL, name, &wanted.Privileges[0].Luid) ||
        !AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) ||
        GetLastError() != ERROR_SUCCESS) /* it succeeds where it has changed nothing */
        code = GetLastError();
    CloseHandle(token);
    return code;
}

/* Windows counts in units of 100 ns, from 1601. */
static gboolean set_clock(System *system, gint64 seconds, gint64 microseconds, GError **error)
{
    const gint64 from_1601_to_1970 = G_GINT64_CONSTANT(11644473600);
    gint64 ticks = (seconds + from_1601_to_1970) * 10000000 + microseconds * 10;
    FILETIME file_time = {.dwLowDateTime = (DWORD)ticks, .dwHighDateTime = (DWORD)(ticks >> 32)};
    SYSTEMTIME time;
    DWORD code = enable_privilege(L"SeSystemtimePrivilege");

    if (code == ERROR_SUCCESS &&
        (!FileTimeToSystemTime(&file_time, &time) || !SetSystemTime(&time)))
        code = GetLastError();
    return code == ERROR_SUCCESS || win32_error_set(error, code, "Failed to set time to guest");
}

/* ---- For Windows ----------------------------------------------------------------------------- */

static void read_version(OSVERSIONINFOEXW *ret)
{
    *ret = (OSVERSIONINFOEXW){.dwOSVersionInfoSize = sizeof(*ret)};
    RtlGetVersion(ret);
}

static char *read_product(void)
{
    return registry_read_string(HKEY_LOCAL_MACHINE,
                                L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", L"ProductName");
}

static DWORD shut_down(DWORD flags)
{
    DWORD code = enable_privilege(L"SeShutdownPrivilege");

    return code != ERROR_SUCCESS
               ? code
               : InitiateShutdownW(NULL, NULL, 0, flags,
                                   SHTDN_REASON_MAJOR_OTHER | SHTDN_REASON_MINOR_OTHER |
                                       SHTDN_REASON_FLAG_PLANNED);
}

static gboolean can_suspend(gboolean to_disk)
{
    SYSTEM_POWER_CAPABILITIES found;

    if (!GetPwrCapabilities(&found))
        return FALSE;
    return to_disk ? found.SystemS4 && found.HiberFilePresent : found.SystemS3 || found.SystemS1;
}

static DWORD suspend(gboolean to_disk)
{
    DWORD code = enable_privilege(L"SeShutdownPrivilege");

    if (code == ERROR_SUCCESS && !SetSuspendState((BOOLEAN)to_disk, TRUE, FALSE))
        code = GetLastError();
    return code;
}

/* The query stays open: it is asked every few seconds from the first time on. */
static DWORD read_queue_length(double *ret)
{
    static PDH_HQUERY query;
    static PDH_HCOUNTER counter;
    PDH_FMT_COUNTERVALUE value;
    PDH_STATUS status = ERROR_SUCCESS;

    if (query == NULL) {
        status = PdhOpenQueryW(NULL, 0, &query);
        if (status == ERROR_SUCCESS)
            status = PdhAddEnglishCounterW(query, L"\\System\\Processor Queue Length", 0, &counter);
    }
    if (status == ERROR_SUCCESS)
        status = PdhCollectQueryData(query);
    if (status == ERROR_SUCCESS)
        status = PdhGetFormattedCounterValue(counter, PDH_FMT_DOUBLE, NULL, &value);
    if (status == ERROR_SUCCESS)
        *ret = value.doubleValue;
    else if (counter == NULL && query != NULL)
        PdhCloseQuery(g_steal_pointer(&query));
    return (DWORD)status;
}

static void tell_session(DWORD number,
                         void (*found)(gpointer user, const SystemWin32Session *session),
                         gpointer user)
{
    WTSINFOW *info = NULL;
    DWORD size = 0;

    if (!WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, number, WTSSessionInfo,
                                     (LPWSTR *)(gpointer)&info, &size))
        return;
    if (size >= sizeof(*info)) {
        SystemWin32Session session = {info->UserName, info->Domain, info->LogonTime.QuadPart};

        found(user, &session);
    }
    WTSFreeMemory(info);
}

static DWORD list_sessions(void (*found)(gpointer user, const SystemWin32Session *session),
                           gpointer user)
{
    WTS_SESSION_INFOW *sessions;
    DWORD count;

    if (!WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &count))
        return GetLastError();
    for (DWORD i = 0; i < count; i++)
        tell_session(sessions[i].SessionId, found, user);
    WTSFreeMemory(sessions);
    return ERROR_SUCCESS;
}

System *system_get(void)
{
    static const SystemWin32 win32 = {
        .read_version = read_version,
        .read_product = read_product,
        .set_password = accounts_set_password,
        .shut_down = shut_down,
        .can_suspend = can_suspend,
        .suspend = suspend,
        .read_queue_length = read_queue_length,
        .list_sessions = list_sessions,
        .find_user = accounts_find_user,
        .hold = vss_hold,
    };
    static System system = {
        .win32 = &win32,
        .root = "",
        .run = run_program,
        .find_tool = find_tool,
        .set_clock = set_clock,
        .set_frozen = set_frozen,
    };

    return &system;
}
