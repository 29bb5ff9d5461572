/* SPDX-License-Identifier: GPL-2.0-or-later */

/* service-install: the agent in Windows' registers of services and of sources of events. */

#include "agent/service-install-win32.h"

#include <string.h>

#include "agent/command-line-win32.h"
#include "agent/service.h"
#include "agent/service-names-win32.h"
#include "agent/win32-error.h"
#include "common/qmp-error.h"

static const wchar_t log_key[] =
    L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" SYSTEM_LOG_SOURCE;

/* A stop has 30 s for the thaw; the manager is to look away for a day before it counts anew. */
enum { STOP_WAIT_MS = 30000, RESTART_AFTER_MS = 5000, FORGET_AFTER_SECONDS = 24 * 60 * 60 };

static char *own_path(void)
{
    wchar_t path[MAX_PATH];
    DWORD len = GetModuleFileNameW(NULL, path, MAX_PATH);

    return len > 0 && len < MAX_PATH ? g_utf16_to_utf8(path, -1, NULL, NULL, NULL) : NULL;
}

/* The program, in the background, and what it was told here. */
static wchar_t *build_line(const char *program, const char *const *argv, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autofree char *line = NULL;

    g_ptr_array_add(words, (gpointer)program);
    g_ptr_array_add(words, (gpointer) "-d");
    for (guint i = 0; argv[i] != NULL; i++)
        g_ptr_array_add(words, (gpointer)argv[i]);
    g_ptr_array_add(words, NULL);
    line = command_line_build((const char *const *)words->pdata, FALSE, error);
    return line != NULL ? g_utf8_to_utf16(line, -1, NULL, NULL, NULL) : NULL;
}

/* ---- Event log ------------------------------------------------------------------------------- */

static gboolean register_source(const char *program, GError **error)
{
    g_autofree wchar_t *file = g_utf8_to_utf16(program, -1, NULL, NULL, NULL);
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    HKEY key;
    LSTATUS status =
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, log_key, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);

    if (status == ERROR_SUCCESS) {
        status = RegSetValueExW(key, L"EventMessageFile", 0, REG_SZ, (const BYTE *)file,
                                (DWORD)((wcslen(file) + 1) * sizeof(wchar_t)));
        if (status == ERROR_SUCCESS)
            status = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types,
                                    sizeof(types));
        RegCloseKey(key);
    }
    return status == ERROR_SUCCESS ||
           win32_error_set(error, (DWORD)status, "failed to register with the event log");
}

/* ---- Service --------------------------------------------------------------------------------- */

static SC_HANDLE open_manager(const ServiceManager *calls, GError **error)
{
    SC_HANDLE manager = calls->open_manager(NULL, NULL, SC_MANAGER_ALL_ACCESS);

    if (manager == NULL)
        win32_error_set(error, GetLastError(), "cannot talk to the service manager");
    return manager;
}

/* What is nice to have of a service; that it is there does not depend on it. */
static void describe(const ServiceManager *calls, SC_HANDLE service)
{
    static wchar_t purpose[] = L"" SERVICE_PURPOSE;
    SERVICE_DESCRIPTIONW description = {purpose};
    SC_ACTION restart = {SC_ACTION_RESTART, RESTART_AFTER_MS};
    SC_ACTION actions[] = {restart, restart, restart};
    SERVICE_FAILURE_ACTIONSW failure = {
        .dwResetPeriod = FORGET_AFTER_SECONDS,
        .cActions = G_N_ELEMENTS(actions),
        .lpsaActions = actions,
    };
    SERVICE_FAILURE_ACTIONS_FLAG also_if_it_says_so = {TRUE};

    calls->change_more(service, SERVICE_CONFIG_DESCRIPTION, &description);
    calls->change_more(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure);
    calls->change_more(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_if_it_says_so);
}

/* One that is there already is changed. */
static SC_HANDLE create(const ServiceManager *calls, SC_HANDLE manager, const wchar_t *line)
{
    SC_HANDLE service = calls->create(
        manager, L"" SERVICE_NAME, L"" SERVICE_TITLE, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
        SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, NULL, NULL);

    if (service != NULL || GetLastError() != ERROR_SERVICE_EXISTS)
        return service;
    service = calls->open(manager, L"" SERVICE_NAME, SERVICE_ALL_ACCESS);
    if (service == NULL ||
        calls->change(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                      line, NULL, NULL, NULL, NULL, NULL, L"" SERVICE_TITLE))
        return service;
    calls->close(service);
    return NULL;
}

static gboolean install(const ServiceManager *calls, const char *const *argv, GError **error)
{
    g_autofree char *program = own_path();
    g_autofree wchar_t *line = program != NULL ? build_line(program, argv, error) : NULL;
    SC_HANDLE manager, service;

    if (line == NULL) {
        if (error != NULL && *error == NULL)
            qmp_error_set(error, "cannot find out where this program is");
        return FALSE;
    }
    manager = open_manager(calls, error);
    if (manager == NULL)
        return FALSE;
    service = create(calls, manager, line);
    if (service == NULL) {
        win32_error_set(error, GetLastError(), "failed to install the service");
        calls->close(manager);
        return FALSE;
    }
    describe(calls, service);
    calls->close(service);
    calls->close(manager);
    return register_source(program, error);
}

/* Until its process has ended, so that its file can be removed: that is a little later than the
 * service says that it has stopped. */
static void stop(const ServiceManager *calls, SC_HANDLE service)
{
    SERVICE_STATUS_PROCESS before;
    SERVICE_STATUS status;
    HANDLE process;
    DWORD needed;

    if (!calls->query(service, SC_STATUS_PROCESS_INFO, (BYTE *)&before, sizeof(before), &needed))
        return;
    process = before.dwProcessId != 0 ? OpenProcess(SYNCHRONIZE, FALSE, before.dwProcessId) : NULL;
    if (process == NULL)
        return;
    if (calls->control(service, SERVICE_CONTROL_STOP, &status))
        WaitForSingleObject(process, STOP_WAIT_MS);
    CloseHandle(process);
}

static gboolean uninstall(const ServiceManager *calls, GError **error)
{
    SC_HANDLE manager = open_manager(calls, error), service;
    gboolean ok;

    if (manager == NULL)
        return FALSE;
    service = calls->open(manager, L"" SERVICE_NAME, SERVICE_ALL_ACCESS);
    ok = service != NULL;
    if (ok) {
        stop(calls, service);
        ok = calls->remove(service);
    }
    if (!ok)
        win32_error_set(error, GetLastError(), "failed to uninstall the service");
    if (service != NULL)
        calls->close(service);
    calls->close(manager);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, log_key);
    return ok;
}

gboolean service_manage_by(const ServiceManager *calls, const char *action, const char *const *argv,
                           GError **error)
{
    if (strcmp(action, "install") == 0)
        return install(calls, argv, error);
    if (strcmp(action, "uninstall") == 0)
        return uninstall(calls, error);
    /* The agent has no provider beside it that would have to be registered. */
    if (strcmp(action, "vss-install") == 0 || strcmp(action, "vss-uninstall") == 0)
        return TRUE;
    qmp_error_set(error, "unknown service command '%s': install, uninstall", action);
    return FALSE;
}

gboolean service_manage(const char *action, const char *const *argv, GError **error)
{
    static const ServiceManager windows = {
        .open_manager = OpenSCManagerW,
        .create = CreateServiceW,
        .open = OpenServiceW,
        .change = ChangeServiceConfigW,
        .change_more = ChangeServiceConfig2W,
        .query = QueryServiceStatusEx,
        .control = ControlService,
        .remove = DeleteService,
        .close = CloseServiceHandle,
    };

    return service_manage_by(&windows, action, argv, error);
}
