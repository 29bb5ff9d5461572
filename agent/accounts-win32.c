/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/accounts-win32.h"

#include <lm.h>
#include <stdio.h>
#include <sddl.h>

#include "agent/registry-win32.h"

#define PROFILES L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\"

enum { NAME_LEN = 256 };

void system_win32_user_clear(SystemWin32User *user)
{
    g_clear_pointer(&user->sid, g_free);
    g_clear_pointer(&user->folder, g_free);
}

static DWORD find_sid(const wchar_t *name, char **ret)
{
    guint8 sid[SECURITY_MAX_SID_SIZE];
    wchar_t domain[NAME_LEN];
    DWORD sid_size = sizeof(sid), domain_len = NAME_LEN;
    SID_NAME_USE use;
    char *text;

    if (!LookupAccountNameW(NULL, name, sid, &sid_size, domain, &domain_len, &use))
        return GetLastError();
    if (use != SidTypeUser)
        return ERROR_NONE_MAPPED;
    if (!ConvertSidToStringSidA(sid, &text))
        return GetLastError();
    *ret = g_strdup(text);
    LocalFree(text);
    return ERROR_SUCCESS;
}

/* What the group of administrators is called in this Windows' language. */
static gboolean name_administrators(wchar_t ret[NAME_LEN])
{
    guint8 sid[SECURITY_MAX_SID_SIZE];
    wchar_t domain[NAME_LEN];
    DWORD sid_size = sizeof(sid), name_len = NAME_LEN, domain_len = NAME_LEN;
    SID_NAME_USE use;

    return CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &sid_size) &&
           LookupAccountSidW(NULL, sid, ret, &name_len, domain, &domain_len, &use);
}

static gboolean is_administrator(const wchar_t *user)
{
    wchar_t wanted[NAME_LEN];
    LOCALGROUP_USERS_INFO_0 *groups = NULL;
    DWORD count = 0, total;
    gboolean found = FALSE;

    if (!name_administrators(wanted) ||
        NetUserGetLocalGroups(NULL, user, 0, LG_INCLUDE_INDIRECT, (BYTE **)(gpointer)&groups,
                              MAX_PREFERRED_LENGTH, &count, &total) != NERR_Success)
        return FALSE;
    for (DWORD i = 0; i < count && !found; i++)
        found = wcscmp(groups[i].lgrui0_name, wanted) == 0;
    NetApiBufferFree(groups);
    return found;
}

static wchar_t *find_profile(const char *sid)
{
    g_autofree wchar_t *name = g_utf8_to_utf16(sid, -1, NULL, NULL, NULL);
    gsize len = G_N_ELEMENTS(PROFILES) + wcslen(name);
    g_autofree wchar_t *key = g_new(wchar_t, len);
    g_autofree char *path = NULL;

    swprintf(key, len, L"%ls%ls", PROFILES, name);
    path = registry_read_string(HKEY_LOCAL_MACHINE, key, L"ProfileImagePath");
    return path != NULL ? g_utf8_to_utf16(path, -1, NULL, NULL, NULL) : NULL;
}

/* One that has never logged in has no profile yet. */
DWORD accounts_find_user(const wchar_t *name, SystemWin32User *ret)
{
    wchar_t data[MAX_PATH];
    DWORD code, len;

    *ret = (SystemWin32User){0};
    code = find_sid(name, &ret->sid);
    if (code != ERROR_SUCCESS)
        return code;
    ret->is_administrator = is_administrator(name);
    if (!ret->is_administrator) {
        ret->folder = find_profile(ret->sid);
        return ret->folder != NULL ? ERROR_SUCCESS : ERROR_FILE_NOT_FOUND;
    }
    len = GetEnvironmentVariableW(L"ProgramData", data, MAX_PATH);
    if (len == 0 || len >= MAX_PATH)
        return ERROR_ENVVAR_NOT_FOUND;
    ret->folder = g_memdup2(data, (len + 1) * sizeof(wchar_t));
    return ERROR_SUCCESS;
}

DWORD accounts_set_password(const wchar_t *user, const wchar_t *password)
{
    USER_INFO_1003 info = {(wchar_t *)(guintptr)password};

    return NetUserSetInfo(NULL, user, 1003, (BYTE *)&info, NULL);
}
