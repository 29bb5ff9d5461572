/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Where OpenSSH for Windows looks: a user's keys are in the profile, those of all administrators in
 * one file that only administrators can write. No link is followed. The folder cannot be exchanged
 * while it is held open here, but its owner can turn it into a link as long as it is empty. So each
 * file that was opened must be in it; and while one is, without the right to delete shared, the
 * folder stays what it is.
 */

#include "keyring.h"

#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <windows.h>
#include <sddl.h>

#include "agent/system-win32.h"
#include "agent/win32-error.h"
#include "common/limits.h"
#include "common/qmp-error.h"

struct Keyring {
    SystemWin32User user;
    wchar_t *folder;
    wchar_t *path;
    wchar_t *new_path;
    HANDLE held; /* the folder; NULL: there is none */
};

static wchar_t *join(const wchar_t *folder, const wchar_t *name)
{
    gsize size = wcslen(folder) + wcslen(name) + 2;
    wchar_t *path = g_new(wchar_t, size);

    swprintf(path, size, L"%ls\\%ls", folder, name);
    return path;
}

static gboolean fail(const Keyring *keyring, const char *what, DWORD code, GError **error)
{
    g_autofree char *path = g_utf16_to_utf8(keyring->path, -1, NULL, NULL, NULL);

    return win32_error_set(error, code, "failed to %s '%s'", what, path != NULL ? path : "?");
}

/* ---- Folder ---------------------------------------------------------------------------------- */

void keyring_close(Keyring *keyring)
{
    if (keyring->held != NULL)
        CloseHandle(keyring->held);
    system_win32_user_clear(&keyring->user);
    g_free(keyring->folder);
    g_free(keyring->path);
    g_free(keyring->new_path);
    g_free(keyring);
}

/* Who may use what is made here: the system, administrators, and the user, unless the file is that
 * of all administrators. OpenSSH minds no file that others can write. */
static SECURITY_ATTRIBUTES make_security(const Keyring *keyring)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof(security)};
    g_autofree char *text = g_strdup_printf("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)%s%s%s",
                                            keyring->user.is_administrator ? "" : "(A;OICI;FA;;;",
                                            keyring->user.is_administrator ? "" : keyring->user.sid,
                                            keyring->user.is_administrator ? "" : ")");

    ConvertStringSecurityDescriptorToSecurityDescriptorA(text, SDDL_REVISION_1,
                                                         &security.lpSecurityDescriptor, NULL);
    return security;
}

static gboolean is_plain(HANDLE file, DWORD wanted, BY_HANDLE_FILE_INFORMATION *ret)
{
    return GetFileInformationByHandle(file, ret) &&
           (ret->dwFileAttributes & (FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY)) ==
               wanted;
}

/* Without the right to delete shared nobody can put something else in its place. */
static DWORD hold_folder(Keyring *keyring)
{
    const DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    BY_HANDLE_FILE_INFORMATION info;
    HANDLE file = CreateFileW(keyring->folder, FILE_READ_ATTRIBUTES | FILE_LIST_DIRECTORY,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, flags, NULL);

    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    keyring->held = file;
    return is_plain(file, FILE_ATTRIBUTE_DIRECTORY, &info) ? ERROR_SUCCESS : ERROR_CANT_ACCESS_FILE;
}

static gboolean is_missing(DWORD code)
{
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
}

static DWORD open_folder(Keyring *keyring, gboolean create)
{
    DWORD code = hold_folder(keyring);
    SECURITY_ATTRIBUTES security;

    if (!create || !is_missing(code))
        return code;
    security = make_security(keyring);
    code = CreateDirectoryW(keyring->folder, &security) ? ERROR_SUCCESS : GetLastError();
    LocalFree(security.lpSecurityDescriptor);
    return code == ERROR_SUCCESS ? hold_folder(keyring) : code;
}

Keyring *keyring_open(System *system, const char *username, gboolean create, GError **error)
{
    g_autoptr(Keyring) keyring = g_new0(Keyring, 1);
    g_autofree wchar_t *wide = g_utf8_to_utf16(username, -1, NULL, NULL, NULL);
    gboolean is_common;
    DWORD code;

    code = wide != NULL ? system->win32->find_user(wide, &keyring->user) : ERROR_NONE_MAPPED;
    if (code != ERROR_SUCCESS) {
        win32_error_set(error, code, "failed to lookup user '%.256s'", username);
        return NULL;
    }
    is_common = keyring->user.is_administrator;
    keyring->folder = join(keyring->user.folder, is_common ? L"ssh" : L".ssh");
    keyring->path =
        join(keyring->folder, is_common ? L"administrators_authorized_keys" : L"authorized_keys");
    keyring->new_path = join(keyring->folder, L"authorized_keys.qga");
    code = open_folder(keyring, create);
    if (code == ERROR_SUCCESS || (is_missing(code) && !create))
        return g_steal_pointer(&keyring);
    fail(keyring, create ? "create the folder of" : "open the folder of", code, error);
    return NULL;
}

/* ---- File ------------------------------------------------------------------------------------ */

/* Returns: (nullable): where it is, whatever way led there */
static wchar_t *find_place(HANDLE file)
{
    const DWORD form = FILE_NAME_NORMALIZED | VOLUME_NAME_NT;
    DWORD size = GetFinalPathNameByHandleW(file, NULL, 0, form), len;
    g_autofree wchar_t *place = size > 0 ? g_new(wchar_t, size) : NULL;

    len = place != NULL ? GetFinalPathNameByHandleW(file, place, size, form) : 0;
    return len > 0 && len < size ? g_steal_pointer(&place) : NULL;
}

static gboolean is_in_folder(const Keyring *keyring, HANDLE file)
{
    g_autofree wchar_t *folder = find_place(keyring->held);
    g_autofree wchar_t *place = find_place(file);
    wchar_t *name = place != NULL ? wcsrchr(place, L'\\') : NULL;

    if (folder == NULL || name == NULL)
        return FALSE;
    *name = 0;
    return wcscmp(place, folder) == 0;
}

/* A file with one name, and not too large. */
static DWORD read_all(const Keyring *keyring, HANDLE file, GString *text)
{
    BY_HANDLE_FILE_INFORMATION info;
    char buffer[4096];
    DWORD got;

    if (!is_plain(file, 0, &info) || info.nNumberOfLinks != 1 || !is_in_folder(keyring, file))
        return ERROR_CANT_ACCESS_FILE;
    do {
        if (!ReadFile(file, buffer, sizeof(buffer), &got, NULL))
            return GetLastError();
        if (text->len + got > LIMIT_SSH_KEYS_BYTES)
            return ERROR_FILE_TOO_LARGE;
        g_string_append_len(text, buffer, (gssize)got);
    } while (got > 0);
    return ERROR_SUCCESS;
}

static DWORD read_file(const Keyring *keyring, GString *text)
{
    HANDLE file;
    DWORD code;

    if (keyring->held == NULL)
        return ERROR_FILE_NOT_FOUND;
    file = CreateFileW(keyring->path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                       FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    code = read_all(keyring, file, text);
    CloseHandle(file);
    return code;
}

GString *keyring_read(Keyring *keyring, gboolean needed, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    DWORD code = read_file(keyring, text);

    if (code != ERROR_SUCCESS && !(is_missing(code) && !needed)) {
        fail(keyring, "read", code, error);
        return NULL;
    }
    g_string_replace(text, "\r\n", "\n", 0); /* as editors there have it */
    return g_steal_pointer(&text);
}

/* By its handle, so that it is this file, and that nobody else can get hold of it before. */
static DWORD rename_file(HANDLE file, const wchar_t *path)
{
    gsize len = wcslen(path) * sizeof(*path);
    gsize size = sizeof(FILE_RENAME_INFO) + len;
    g_autofree FILE_RENAME_INFO *info = g_malloc0(size);

    info->ReplaceIfExists = TRUE;
    info->FileNameLength = (DWORD)len;
    memcpy(info->FileName, path, len);
    return SetFileInformationByHandle(file, FileRenameInfo, info, (DWORD)size) ? ERROR_SUCCESS
                                                                               : GetLastError();
}

static DWORD fill_and_rename(const Keyring *keyring, HANDLE file, const GString *text)
{
    DWORD written;

    if (!is_in_folder(keyring, file))
        return ERROR_CANT_ACCESS_FILE;
    if (!WriteFile(file, text->str, (DWORD)text->len, &written, NULL) || !FlushFileBuffers(file))
        return GetLastError();
    return rename_file(file, keyring->path);
}

static DWORD write_all(const Keyring *keyring, const GString *text)
{
    SECURITY_ATTRIBUTES security = make_security(keyring);
    FILE_DISPOSITION_INFO unwanted = {TRUE};
    DWORD code = ERROR_SUCCESS;
    HANDLE file;

    DeleteFileW(keyring->new_path); /* of an agent that was killed: nothing else has that name */
    file = CreateFileW(keyring->new_path, GENERIC_WRITE | DELETE, FILE_SHARE_READ, &security,
                       CREATE_NEW, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_WRITE_THROUGH, NULL);
    if (file == INVALID_HANDLE_VALUE)
        code = GetLastError();
    LocalFree(security.lpSecurityDescriptor);
    if (code != ERROR_SUCCESS)
        return code;
    code = fill_and_rename(keyring, file, text);
    if (code != ERROR_SUCCESS)
        SetFileInformationByHandle(file, FileDispositionInfo, &unwanted, sizeof(unwanted));
    CloseHandle(file);
    return code;
}

gboolean keyring_write(Keyring *keyring, const GString *text, GError **error)
{
    DWORD code =
        text->len <= LIMIT_SSH_KEYS_BYTES ? write_all(keyring, text) : ERROR_FILE_TOO_LARGE;

    return code == ERROR_SUCCESS || fail(keyring, "write", code, error);
}
