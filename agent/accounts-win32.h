/* SPDX-License-Identifier: GPL-2.0-or-later */

/* accounts: who the guest's users are, by Windows' databases of them. */

#pragma once

#include "agent/system-win32.h"

/* As SystemWin32.find_user(). */
DWORD accounts_find_user(const wchar_t *name, SystemWin32User *ret);

/* As SystemWin32.set_password(). */
DWORD accounts_set_password(const wchar_t *user, const wchar_t *password);
