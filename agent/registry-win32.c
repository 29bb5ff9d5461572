/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/registry-win32.h"

char *registry_read_string(HKEY root, const wchar_t *path, const wchar_t *name)
{
    g_autofree wchar_t *value = NULL;
    DWORD size = 0;
    LSTATUS status;
    HKEY key;

    /* The view of the system itself, also in a program of 32 bits. */
    if (RegOpenKeyExW(root, path, 0, KEY_QUERY_VALUE | KEY_WOW64_64KEY, &key) != ERROR_SUCCESS)
        return NULL;
    status = RegGetValueW(key, NULL, name, RRF_RT_REG_SZ, NULL, NULL, &size);
    if (status == ERROR_SUCCESS) {
        value = g_malloc0(size + sizeof(wchar_t));
        status = RegGetValueW(key, NULL, name, RRF_RT_REG_SZ, NULL, value, &size);
    }
    RegCloseKey(key);
    return status == ERROR_SUCCESS ? g_utf16_to_utf8(value, -1, NULL, NULL, NULL) : NULL;
}
