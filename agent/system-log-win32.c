/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The event log shows a text that stands in a message file, which is the agent's own program: the
 * one message there is (messages-win32.mc), "%1". Its source, which names that file, is registered
 * when the service is installed; qemu-ga's has the same name.
 */

#include "agent/system-log.h"

#include <windows.h>

#include "agent/messages-win32.h"
#include "agent/service-names-win32.h"

static HANDLE source;

void system_log_open(void)
{
    source = RegisterEventSourceW(NULL, L"" SYSTEM_LOG_SOURCE);
}

void system_log_account(const char *command)
{
    g_autofree char *text = g_strdup_printf("%s called", command);
    g_autofree wchar_t *wide = g_utf8_to_utf16(text, -1, NULL, NULL, NULL);
    const wchar_t *strings[] = {wide};

    if (source != NULL && wide != NULL)
        ReportEventW(source, EVENTLOG_INFORMATION_TYPE, 0, MESSAGE_TEXT, NULL, 1, 0, strings, NULL);
}
