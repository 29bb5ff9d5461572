/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * vss: volumes are frozen by Windows' volume shadow copy service.
 *
 * Owns the conversation with it. What holds a freeze is a provider of that service, which pretends
 * to copy: qemu-ga's, where that is installed beside the agent; without one there is no freeze.
 */

#pragma once

#include "agent/system-win32.h"

struct IVssBackupComponents;

/* What Windows is asked for beside the conversation itself; a test has its own. */
typedef struct {
    gboolean (*has_provider)(void);
    HRESULT (*create_components)(struct IVssBackupComponents **ret);
    UINT (*drive_type)(const wchar_t *volume); /* as GetDriveTypeW() */
} VssService;

/* With @service, as SystemWin32.hold(). */
gboolean vss_hold_by(const VssService *service, const char *const *volumes, HANDLE thaw,
                     void (*frozen)(gpointer user, guint count), gpointer user, GError **error);

/* With Windows', as SystemWin32.hold(). */
gboolean vss_hold(const char *const *volumes, HANDLE thaw,
                  void (*frozen)(gpointer user, guint count), gpointer user, GError **error);
