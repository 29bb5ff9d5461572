/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * password: guest-set-user-password.
 *
 * Done by the guest's own chpasswd, which knows where passwords are kept and how they are hashed.
 * It reads the password from its standard input, so that no list of processes shows it; what holds
 * it here is wiped.
 */

#include <string.h>

#include "agent/dispatch.h"
#include "base64.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "helper.h"

/* A line and its parts are all that chpasswd knows, so what would end them cannot be within. */
static gboolean check(const char *username, const guint8 *password, gsize len, gboolean crypted,
                      GError **error)
{
    gboolean split = memchr(password, '\n', len) != NULL || memchr(password, '\0', len) != NULL;

    /* A hash becomes a field of /etc/shadow as it is. */
    if (split || (crypted && memchr(password, ':', len) != NULL)) {
        qmp_error_set(error, "forbidden characters in raw password");
        return FALSE;
    }
    if (strpbrk(username, "\n:") != NULL) {
        qmp_error_set(error, "forbidden characters in username");
        return FALSE;
    }
    return TRUE;
}

static void on_end(gpointer user, const SystemExit *result)
{
    g_autoptr(GError) error = NULL;

    helper_check(result, "set user password", &error);
    call_finish(user, error);
}

static void run_chpasswd(System *system, const char *tool, const char *username,
                         const guint8 *password, gsize len, gboolean crypted, Call *call)
{
    const char *const argv[] = {tool, crypted ? "-e" : NULL, NULL};
    gsize name_len = strlen(username), line_len = name_len + 1 + len + 1;
    g_autofree char *line = g_malloc(line_len);

    memcpy(line, username, name_len);
    line[name_len] = ':';
    memcpy(line + name_len + 1, password, len);
    line[line_len - 1] = '\n';
    system->run(system,
                &(SystemProgram){
                    .argv = argv,
                    .input = line,
                    .input_len = line_len,
                    .timeout_ms = LIMIT_HELPER_MS,
                },
                on_end, call);
    explicit_bzero(line, line_len);
}

gboolean guest_set_user_password(Commands *commands, const GuestSetUserPasswordArguments *args,
                                 Call *call, GError **error)
{
    System *system = commands->system;
    gsize len;
    g_autofree guint8 *password = base64_decode(args->password, &len, error);
    g_autofree char *tool = NULL;
    gboolean ok;

    if (password == NULL)
        return FALSE;
    ok = check(args->username, password, len, args->crypted, error);
    if (ok) {
        tool = system->find_tool(system, "chpasswd");
        ok = tool != NULL;
        if (!ok)
            qmp_error_set(error, "cannot find 'chpasswd' program in PATH");
    }
    if (ok) {
        call_defer(call);
        run_chpasswd(system, tool, args->username, password, len, args->crypted, call);
    }
    explicit_bzero(password, len);
    return ok;
}
