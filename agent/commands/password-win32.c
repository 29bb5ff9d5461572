/* SPDX-License-Identifier: GPL-2.0-or-later */

/* password-win32: guest-set-user-password of Windows, for local users. */

#include <string.h>

#include "agent/dispatch.h"
#include "agent/system-win32.h"
#include "agent/win32-error.h"
#include "base64.h"
#include "common/qmp-error.h"

/* Returns: (transfer full): what Windows wants; NULL with @error */
static wchar_t *to_wide(const guint8 *text, gsize len, const char *what, GError **error)
{
    wchar_t *wide = memchr(text, '\0', len) == NULL
                        ? g_utf8_to_utf16((const char *)text, (glong)len, NULL, NULL, NULL)
                        : NULL;

    if (wide == NULL)
        qmp_error_set(error, "forbidden characters in %s", what);
    return wide;
}

gboolean guest_set_user_password(Commands *commands, const GuestSetUserPasswordArguments *args,
                                 Call *call, GError **error)
{
    gsize len;
    g_autofree guint8 *password = NULL;
    g_autofree wchar_t *wide_password = NULL;
    g_autofree wchar_t *wide_user = NULL;
    DWORD code;

    if (args->crypted) {
        qmp_error_set(error, "'crypted' must be off on this host");
        return FALSE;
    }
    password = base64_decode(args->password, &len, error);
    if (password == NULL)
        return FALSE;
    wide_password = to_wide(password, len, "raw password", error);
    SecureZeroMemory(password, len);
    if (wide_password == NULL)
        return FALSE;
    wide_user = to_wide((const guint8 *)args->username, strlen(args->username), "username", error);
    if (wide_user == NULL)
        return FALSE;
    code = commands->system->win32->set_password(wide_user, wide_password);
    SecureZeroMemory(wide_password, wcslen(wide_password) * sizeof(wchar_t));
    return code == ERROR_SUCCESS || win32_error_set(error, code, "failed to set password");
}
