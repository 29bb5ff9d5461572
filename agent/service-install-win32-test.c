/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the service manager is asked for, also what Wine's does not know: to start the service again
 * when it has failed. A stand-in notes it. The register of sources of events is Wine's own. */

#include "agent/service-install-win32.h"

#include <string.h>

#include "agent/fixture.h"
#include "agent/registry-win32.h"
#include "agent/service-names-win32.h"

static struct {
    GString *log;
    const char *failing; /* (nullable): the call that fails */
    gboolean exists;     /* the service does */
    guint open;          /* handles */
    HANDLE process;      /* (nullable): of the service */
    DWORD process_id;
} world;

static gboolean note(const char *call)
{
    g_string_append_printf(world.log, "%s%s", world.log->len > 0 ? " " : "", call);
    if (g_strcmp0(call, world.failing) != 0)
        return TRUE;
    SetLastError(ERROR_ACCESS_DENIED);
    return FALSE;
}

static SC_HANDLE give(gboolean ok)
{
    world.open += ok;
    return ok ? (SC_HANDLE)&world : NULL;
}

static SC_HANDLE WINAPI open_manager(const wchar_t *machine, const wchar_t *database, DWORD access)
{
    return give(note("manager"));
}

static void note_line(const wchar_t *line)
{
    g_autofree char *text = g_utf16_to_utf8(line, -1, NULL, NULL, NULL);
    const char *options = strstr(text, ".exe");

    g_assert_nonnull(options); /* the program, by its whole path */
    g_string_append_printf(world.log, "[%s]", options);
}

static SC_HANDLE WINAPI create(SC_HANDLE manager, const wchar_t *name, const wchar_t *title,
                               DWORD access, DWORD type, DWORD start, DWORD severity,
                               const wchar_t *line, const wchar_t *group, DWORD *tag,
                               const wchar_t *dependencies, const wchar_t *account,
                               const wchar_t *password)
{
    gboolean ok = note("create");

    g_assert_cmpint(wcscmp(name, L"" SERVICE_NAME), ==, 0);
    g_assert_cmpuint(type, ==, SERVICE_WIN32_OWN_PROCESS);
    g_assert_cmpuint(start, ==, SERVICE_AUTO_START);
    g_assert_null(account); /* LocalSystem */
    if (ok && world.exists) {
        SetLastError(ERROR_SERVICE_EXISTS);
        return NULL;
    }
    if (ok)
        note_line(line);
    return give(ok);
}

static SC_HANDLE WINAPI open_service(SC_HANDLE manager, const wchar_t *name, DWORD access)
{
    if (!note("open"))
        return NULL;
    if (!world.exists)
        SetLastError(ERROR_SERVICE_DOES_NOT_EXIST);
    return give(world.exists);
}

static BOOL WINAPI change(SC_HANDLE service, DWORD type, DWORD start, DWORD severity,
                          const wchar_t *line, const wchar_t *group, DWORD *tag,
                          const wchar_t *dependencies, const wchar_t *account,
                          const wchar_t *password, const wchar_t *title)
{
    if (!note("change"))
        return FALSE;
    note_line(line);
    return TRUE;
}

/* Three times after 5 s each, counted anew after a day, and also where the service itself says that
 * it has failed. */
static void check_recovery(const SERVICE_FAILURE_ACTIONSW *found)
{
    g_assert_cmpuint(found->dwResetPeriod, ==, 24 * 60 * 60);
    g_assert_cmpuint(found->cActions, ==, 3);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(found->lpsaActions[i].Type, ==, SC_ACTION_RESTART);
        g_assert_cmpuint(found->lpsaActions[i].Delay, ==, 5000);
    }
    g_assert_null(found->lpCommand);
    g_assert_null(found->lpRebootMsg);
}

static BOOL WINAPI change_more(SC_HANDLE service, DWORD level, void *value)
{
    switch (level) {
    case SERVICE_CONFIG_DESCRIPTION: return note("description");
    case SERVICE_CONFIG_FAILURE_ACTIONS: check_recovery(value); return note("recovery");
    case SERVICE_CONFIG_FAILURE_ACTIONS_FLAG:
        g_assert_true(((SERVICE_FAILURE_ACTIONS_FLAG *)value)->fFailureActionsOnNonCrashFailures);
        return note("recovery-flag");
    default: g_assert_not_reached();
    }
}

static BOOL WINAPI query(SC_HANDLE service, SC_STATUS_TYPE type, BYTE *buffer, DWORD size,
                         DWORD *ret_needed)
{
    g_assert_cmpuint(size, ==, sizeof(SERVICE_STATUS_PROCESS));
    *(SERVICE_STATUS_PROCESS *)(gpointer)buffer =
        (SERVICE_STATUS_PROCESS){.dwProcessId = world.process_id};
    return note("query");
}

static BOOL WINAPI control(SC_HANDLE service, DWORD code, SERVICE_STATUS *ret)
{
    g_assert_cmpuint(code, ==, SERVICE_CONTROL_STOP);
    if (!note("stop"))
        return FALSE;
    TerminateProcess(world.process, 0);
    return TRUE;
}

static BOOL WINAPI remove_service(SC_HANDLE service)
{
    if (world.process != NULL && g_strcmp0(world.failing, "stop") != 0)
        g_assert_cmpint(WaitForSingleObject(world.process, 0), ==, WAIT_OBJECT_0);
    return note("remove");
}

static BOOL WINAPI close_handle(SC_HANDLE handle)
{
    world.open--;
    return TRUE;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void set_up(void)
{
    memset(&world, 0, sizeof(world));
    world.log = g_string_new(NULL);
}

static void tear_down(void)
{
    g_assert_cmpuint(world.open, ==, 0);
    if (world.process != NULL) {
        TerminateProcess(world.process, 0);
        CloseHandle(world.process);
    }
    g_string_free(world.log, TRUE);
}

/* The process that the service is: this program once more, which waits. */
static void start_process(const wchar_t *self)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    wchar_t line[] = L"service wait";
    PROCESS_INFORMATION info;

    g_assert_true(CreateProcessW(self, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info));
    CloseHandle(info.hThread);
    world.process = info.hProcess;
    world.process_id = info.dwProcessId;
}

/* @words: (nullable): of the error; NULL: there is to be none */
static void check(const char *action, const char *words, const char *log)
{
    static const ServiceManager calls = {open_manager, create,         open_service,
                                         change,       change_more,    query,
                                         control,      remove_service, close_handle};
    static const char *const argv[] = {"--method=isa-serial", "--path=a b", NULL};
    g_autoptr(GError) error = NULL;
    gboolean ok = service_manage_by(&calls, action, argv, &error);

    fixture_check_words(ok, error, words);
    g_assert_cmpstr(world.log->str, ==, log);
}

static gboolean is_source_registered(void)
{
    g_autofree char *file = registry_read_string(
        HKEY_LOCAL_MACHINE,
        L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" SYSTEM_LOG_SOURCE,
        L"EventMessageFile");

    return file != NULL;
}

#define LINE  "[.exe\" -d --method=isa-serial \"--path=a b\"]"
#define EXTRA " description recovery recovery-flag"

static void test_install(void)
{
    set_up();
    check("install", NULL, "manager create" LINE EXTRA);
    g_assert_true(is_source_registered());
    tear_down();
}

/* One that is there is changed, so that it is started with what was told now. */
static void test_install_again(void)
{
    set_up();
    world.exists = TRUE;
    check("install", NULL, "manager create open change" LINE EXTRA);
    tear_down();
}

/* What is nice to have of a service may fail; nothing else may. */
static void test_install_fails(void)
{
    static const struct {
        const char *call;
        gboolean exists;
        const char *words;
        const char *log;
    } cases[] = {
        {"manager", FALSE, "cannot talk to the service manager", "manager"},
        {"create", FALSE, "failed to install the service", "manager create"},
        {"open", TRUE, "failed to install the service", "manager create open"},
        {"change", TRUE, "failed to install the service", "manager create open change"},
        {"description", FALSE, NULL, "manager create" LINE EXTRA},
        {"recovery", FALSE, NULL, "manager create" LINE EXTRA},
        {"recovery-flag", FALSE, NULL, "manager create" LINE EXTRA},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        set_up();
        world.failing = cases[i].call;
        world.exists = cases[i].exists;
        check("install", cases[i].words, cases[i].log);
        tear_down();
    }
}

/* It is removed when its process is over, and its source of events with it. */
static void test_uninstall(gconstpointer self)
{
    set_up();
    check("install", NULL, "manager create" LINE EXTRA);
    g_string_truncate(world.log, 0);
    world.exists = TRUE;
    start_process(self);
    check("uninstall", NULL, "manager open query stop remove");
    g_assert_false(is_source_registered());
    tear_down();
}

static void test_uninstall_fails(gconstpointer self)
{
    set_up();
    check("uninstall", "failed to uninstall the service", "manager open");
    tear_down();

    set_up();
    world.exists = TRUE; /* and does not run */
    check("uninstall", NULL, "manager open query remove");
    tear_down();

    set_up();
    world.exists = TRUE;
    world.failing = "stop"; /* it is removed as soon as it ends by itself */
    start_process(self);
    check("uninstall", NULL, "manager open query stop remove");
    tear_down();

    set_up();
    world.exists = TRUE;
    world.failing = "remove";
    check("uninstall", "failed to uninstall the service", "manager open query remove");
    tear_down();
}

/* qemu-ga's other two have nothing to do; what is none is refused. */
static void test_others(void)
{
    set_up();
    check("vss-install", NULL, "");
    check("vss-uninstall", NULL, "");
    check("reinstall", "unknown service command 'reinstall': install, uninstall", "");
    tear_down();
}

int main(int argc, char **argv)
{
    static wchar_t self[MAX_PATH];

    if (argc > 1 && strcmp(argv[1], "wait") == 0)
        Sleep(INFINITE);
    GetModuleFileNameW(NULL, self, MAX_PATH);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-install/install", test_install);
    g_test_add_func("/service-install/install-again", test_install_again);
    g_test_add_func("/service-install/install-fails", test_install_fails);
    g_test_add_data_func("/service-install/uninstall", self, test_uninstall);
    g_test_add_data_func("/service-install/uninstall-fails", self, test_uninstall_fails);
    g_test_add_func("/service-install/others", test_others);
    return g_test_run();
}
