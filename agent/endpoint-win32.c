/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/endpoint-win32.h"

#include "agent/win32-error.h"

/* COM10 and more are not found without it, and the first nine are found with it too. */
static wchar_t *device_path(const char *path, gboolean serial)
{
    gboolean bare = serial && g_ascii_strncasecmp(path, "COM", 3) == 0;
    g_autofree char *full = g_strconcat(bare ? "\\\\.\\" : "", path, NULL);

    return g_utf8_to_utf16(full, -1, NULL, NULL, NULL);
}

/* Bytes pass unchanged, no line of the plug is asked for, and neither reads nor writes give up. */
static gboolean make_raw(HANDLE file)
{
    DCB line = {.DCBlength = sizeof(line)};
    COMMTIMEOUTS none = {0};

    if (!GetCommState(file, &line))
        return FALSE;
    line = (DCB){
        .DCBlength = sizeof(line),
        .BaudRate = CBR_38400,
        .fBinary = TRUE,
        .fDtrControl = DTR_CONTROL_ENABLE,
        .fRtsControl = RTS_CONTROL_ENABLE,
        .ByteSize = 8,
        .Parity = NOPARITY,
        .StopBits = ONESTOPBIT,
    };
    return SetCommState(file, &line) && SetCommTimeouts(file, &none) &&
           PurgeComm(file, PURGE_RXABORT | PURGE_RXCLEAR);
}

/* A file would be read from, and what we answer be written into it. */
static gboolean is_device(HANDLE file, gboolean serial)
{
    DWORD type = GetFileType(file);

    return type == FILE_TYPE_CHAR || (!serial && type == FILE_TYPE_PIPE) ||
           (!serial && type == FILE_TYPE_UNKNOWN);
}

static gboolean is_missing(DWORD code)
{
    return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || code == ERROR_BAD_UNIT ||
           code == ERROR_DEV_NOT_EXIST || code == ERROR_DEVICE_NOT_CONNECTED;
}

HANDLE endpoint_open_device(const char *path, gboolean serial, gboolean *ret_missing,
                            GError **error)
{
    g_autofree wchar_t *name = device_path(path, serial);
    DWORD code = ERROR_INVALID_NAME;
    HANDLE file = INVALID_HANDLE_VALUE;

    *ret_missing = FALSE;
    if (name != NULL) {
        file = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                           FILE_FLAG_OVERLAPPED | FILE_FLAG_NO_BUFFERING, NULL);
        code = file == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
    }
    if (code == ERROR_SUCCESS && !is_device(file, serial))
        code = ERROR_BAD_DEVICE;
    if (code == ERROR_SUCCESS && serial && !make_raw(file))
        code = GetLastError();
    if (code == ERROR_SUCCESS)
        return file;
    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    *ret_missing = is_missing(code);
    win32_error_set(error, code, "error opening channel %s", path);
    return INVALID_HANDLE_VALUE;
}
