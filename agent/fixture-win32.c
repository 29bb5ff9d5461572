/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture-win32.h"

#include "agent/fixture-system.h"
#include "common/qmp-error.h"

const FixtureFreeze fixture_freeze = {
    .frozen = "2",
    .freeze_log = "hold all, quiet",
    .thaw_log = "loud",
    .expired = "couldn't hold writes: fsfreeze is limited up to 10 seconds",
};

FixtureWin32 fixture_win32;

/* The functions of a SystemWin32 are not told which system they are of. */
static CommandFixture *current;

static void read_version(OSVERSIONINFOEXW *ret)
{
    *ret = fixture_win32.version;
}

static char *read_product(void)
{
    return g_strdup(fixture_win32.product);
}

static DWORD set_password(const wchar_t *user, const wchar_t *password)
{
    g_autofree char *name = g_utf16_to_utf8(user, -1, NULL, NULL, NULL);
    g_autofree char *word = g_utf16_to_utf8(password, -1, NULL, NULL, NULL);

    fixture_note(current, "password %s %s", name, word);
    return fixture_win32.code;
}

static DWORD shut_down(DWORD flags)
{
    fixture_note(current, "shut down 0x%lx", flags);
    return fixture_win32.code;
}

static gboolean can_suspend(gboolean to_disk)
{
    return fixture_win32.can_suspend;
}

static DWORD suspend(gboolean to_disk)
{
    fixture_note(current, "suspend to %s", to_disk ? "disk" : "ram");
    return fixture_win32.code;
}

static DWORD read_queue_length(double *ret)
{
    *ret = fixture_win32.queue_length;
    return fixture_win32.code;
}

static DWORD list_sessions(void (*found)(gpointer user, const SystemWin32Session *session),
                           gpointer user)
{
    static const SystemWin32Session nobody = {L"", L"", 0};
    const SystemWin32Session *session = fixture_win32.sessions;

    for (; session != NULL && session->name != NULL; session++)
        found(user, session);
    found(user, &nobody); /* as Windows has it: of services, and of who has logged out */
    return fixture_win32.code;
}

static DWORD find_user(const wchar_t *name, SystemWin32User *ret)
{
    *ret = (SystemWin32User){0};
    if (fixture_win32.folder == NULL)
        return ERROR_NONE_MAPPED;
    *ret = (SystemWin32User){
        .sid = g_strdup("S-1-5-18"),
        .is_administrator = fixture_win32.is_administrator,
        .folder =
            g_memdup2(fixture_win32.folder, (wcslen(fixture_win32.folder) + 1) * sizeof(wchar_t)),
    };
    return ERROR_SUCCESS;
}

static gboolean hold(const char *const *volumes, HANDLE thaw,
                     void (*frozen)(gpointer user, guint count), gpointer user, GError **error)
{
    g_autofree char *names = volumes != NULL ? g_strjoinv(" ", (char **)(gpointer)volumes) : NULL;

    fixture_note(current, "hold %s", names != NULL ? names : "all");
    if (fixture_win32.hold == FIXTURE_REFUSES) {
        qmp_error_set(error, "no provider");
        return FALSE;
    }
    frozen(user, fixture_win32.hold == FIXTURE_HAS_NONE ? 0 : 2);
    if (fixture_win32.hold == FIXTURE_HAS_NONE)
        return TRUE;
    if (fixture_win32.hold == FIXTURE_GIVES_UP) {
        qmp_error_set(error, "time is up");
        return FALSE;
    }
    return WaitForSingleObject(thaw, INFINITE) == WAIT_OBJECT_0;
}

void fixture_attach_system(CommandFixture *fixture)
{
    static const SystemWin32 win32 = {
        .read_version = read_version,
        .read_product = read_product,
        .set_password = set_password,
        .shut_down = shut_down,
        .can_suspend = can_suspend,
        .suspend = suspend,
        .read_queue_length = read_queue_length,
        .list_sessions = list_sessions,
        .find_user = find_user,
        .hold = hold,
    };

    current = fixture;
    fixture_win32 = (FixtureWin32){0};
    fixture->system.win32 = &win32;
}
