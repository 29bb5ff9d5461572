/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/bench-win32.h"

#include "agent/bench-system.h"
#include "common/qmp-error.h"

const BenchFreeze bench_freeze = {
    .frozen = "2",
    .freeze_log = "hold all, quiet",
    .thaw_log = "loud",
    .expired = "couldn't hold writes: fsfreeze is limited up to 10 seconds",
};

BenchWin32 bench_win32;

/* The functions of a SystemWin32 are not told which system they are of. */
static Bench *current;

static void read_version(OSVERSIONINFOEXW *ret)
{
    *ret = bench_win32.version;
}

static char *read_product(void)
{
    return g_strdup(bench_win32.product);
}

static DWORD set_password(const wchar_t *user, const wchar_t *password)
{
    g_autofree char *name = g_utf16_to_utf8(user, -1, NULL, NULL, NULL);
    g_autofree char *word = g_utf16_to_utf8(password, -1, NULL, NULL, NULL);

    bench_note(current, "password %s %s", name, word);
    return bench_win32.code;
}

static DWORD shut_down(DWORD flags)
{
    bench_note(current, "shut down 0x%lx", flags);
    return bench_win32.code;
}

static gboolean can_suspend(gboolean to_disk)
{
    return bench_win32.can_suspend;
}

static DWORD suspend(gboolean to_disk)
{
    bench_note(current, "suspend to %s", to_disk ? "disk" : "ram");
    return bench_win32.code;
}

static DWORD read_queue_length(double *ret)
{
    *ret = bench_win32.queue_length;
    return bench_win32.code;
}

static DWORD list_sessions(void (*found)(gpointer user, const SystemWin32Session *session),
                           gpointer user)
{
    static const SystemWin32Session nobody = {L"", L"", 0};
    const SystemWin32Session *session = bench_win32.sessions;

    for (; session != NULL && session->name != NULL; session++)
        found(user, session);
    found(user, &nobody); /* as Windows has it: of services, and of who has logged out */
    return bench_win32.code;
}

static DWORD find_user(const wchar_t *name, SystemWin32User *ret)
{
    *ret = (SystemWin32User){0};
    if (bench_win32.folder == NULL)
        return ERROR_NONE_MAPPED;
    *ret = (SystemWin32User){
        .sid = g_strdup("S-1-5-18"),
        .is_administrator = bench_win32.is_administrator,
        .folder = g_memdup2(bench_win32.folder, (wcslen(bench_win32.folder) + 1) * sizeof(wchar_t)),
    };
    return ERROR_SUCCESS;
}

static gboolean hold(const char *const *volumes, HANDLE thaw,
                     void (*frozen)(gpointer user, guint count), gpointer user, GError **error)
{
    g_autofree char *names = volumes != NULL ? g_strjoinv(" ", (char **)(gpointer)volumes) : NULL;

    bench_note(current, "hold %s", names != NULL ? names : "all");
    if (bench_win32.hold == BENCH_REFUSES) {
        qmp_error_set(error, "no provider");
        return FALSE;
    }
    frozen(user, bench_win32.hold == BENCH_HAS_NONE ? 0 : 2);
    if (bench_win32.hold == BENCH_HAS_NONE)
        return TRUE;
    if (bench_win32.hold == BENCH_GIVES_UP) {
        qmp_error_set(error, "time is up");
        return FALSE;
    }
    return WaitForSingleObject(thaw, INFINITE) == WAIT_OBJECT_0;
}

void bench_attach_system(Bench *bench)
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

    current = bench;
    bench_win32 = (BenchWin32){0};
    bench->system.win32 = &win32;
}
