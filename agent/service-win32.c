/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. The service manager wants a thread for its calls, which is none of ours: the
 * agent runs in the thread in which it was started, whether it is a service or not, and is told by
 * an event that it is to end.
 */

#include "agent/service.h"

#include <io.h>
#include <stdio.h>

#include "agent/service-names-win32.h"
#include "agent/transfer-win32.h"
#include "agent/win32-error.h"
#include "common/qmp-error.h"

/* The manager is told how long a start, and a stop with a thaw in it, may take. */
enum { START_MS = 30000, STOP_MS = 30000 };

/* All belong to the process, of which the manager knows one. */
static struct {
    HANDLE stop;  /* set: the agent is to end */
    HANDLE begun; /* set: the manager has called, or never will */
    HANDLE ended; /* set: nothing is to be told any more */
    HANDLE thread;
    SERVICE_STATUS_HANDLE handle; /* NULL: not started by the manager */
    DWORD failure;                /* why it will never call */
} service;

static HANDLE new_event(void)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    g_assert(event != NULL);
    return event;
}

char **service_command_line(char **argv)
{
    return g_win32_get_command_line();
}

void service_secure_standard_streams(void)
{
    /* A service has none; what is written there is to go nowhere, not into the next file. */
    if (_fileno(stdout) < 0)
        freopen("NUL", "w", stdout);
    if (_fileno(stderr) < 0)
        freopen("NUL", "w", stderr);
}

/* ---- Being told to end ----------------------------------------------------------------------- */

typedef struct {
    void (*stop)(gpointer user);
    gpointer user;
} Watch;

static gboolean on_stop(gpointer user_data)
{
    const Watch *watch = user_data;

    ResetEvent(service.stop);
    watch->stop(watch->user);
    return G_SOURCE_CONTINUE;
}

/* Runs in a thread of its own. */
static BOOL WINAPI on_console_event(DWORD event)
{
    SetEvent(service.stop);
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        WaitForSingleObject(service.ended, STOP_MS); /* or the process is ended at once */
    return TRUE;
}

void service_watch_signals(void (*stop)(gpointer user), gpointer user)
{
    static Watch watch;

    watch = (Watch){stop, user};
    if (service.stop == NULL)
        service.stop = new_event();
    if (service.ended == NULL)
        service.ended = new_event();
    SetConsoleCtrlHandler(on_console_event, TRUE);
    handle_watch_add(service.stop, on_stop, &watch);
}

ServiceChannel service_inherited_channel(ChannelAddress *ret, GError **error)
{
    return SERVICE_CHANNEL_NONE;
}

/* ---- Being a service ------------------------------------------------------------------------- */

static void report(DWORD state, DWORD wait_ms, DWORD exit_code)
{
    SERVICE_STATUS status = {
        .dwServiceType = SERVICE_WIN32_OWN_PROCESS,
        .dwCurrentState = state,
        .dwControlsAccepted =
            state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN : 0,
        .dwWin32ExitCode = exit_code,
        .dwWaitHint = wait_ms,
    };

    if (service.handle != NULL)
        SetServiceStatus(service.handle, &status);
}

static DWORD WINAPI on_control(DWORD control, DWORD event, LPVOID data, LPVOID user)
{
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
        report(SERVICE_STOP_PENDING, STOP_MS, NO_ERROR);
        SetEvent(service.stop);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE: return NO_ERROR;
    default: return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

/* Called by the manager; the service is over when it returns. */
static void WINAPI service_main(DWORD argc, LPWSTR *argv)
{
    service.handle = RegisterServiceCtrlHandlerExW(L"" SERVICE_NAME, on_control, NULL);
    report(SERVICE_START_PENDING, START_MS, NO_ERROR);
    SetEvent(service.begun);
    WaitForSingleObject(service.ended, INFINITE);
}

static DWORD WINAPI run_dispatcher(LPVOID unused)
{
    static wchar_t name[] = L"" SERVICE_NAME;
    const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};

    if (!StartServiceCtrlDispatcherW(table))
        service.failure = GetLastError();
    SetEvent(service.begun);
    return 0;
}

gboolean service_detach(GError **error)
{
    service.stop = new_event();
    service.begun = new_event();
    service.ended = new_event();
    service.thread = CreateThread(NULL, 0, run_dispatcher, NULL, 0, NULL);
    if (service.thread == NULL)
        return win32_error_set(error, GetLastError(), "failed to start a thread");
    WaitForSingleObject(service.begun, INFINITE);
    if (service.handle != NULL)
        return TRUE;
    return win32_error_set(error, service.failure, "the service manager has not started this");
}

void service_ready(void)
{
    report(SERVICE_RUNNING, 0, NO_ERROR);
}

/* The manager starts one of a service only. */
gboolean service_lock_pidfile(const char *path, GError **error)
{
    return TRUE;
}

void service_remove_pidfile(void)
{
}

/* A code that is no success lets the manager start the service again, as it is told to. */
void service_end(const GError *error)
{
    if (service.ended == NULL)
        return;
    report(SERVICE_STOPPED, 0, error != NULL ? ERROR_EXCEPTION_IN_SERVICE : NO_ERROR);
    SetEvent(service.ended);
    if (service.thread != NULL)
        WaitForSingleObject(service.thread, STOP_MS);
}
