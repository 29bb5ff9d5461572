/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * service-install: the agent in Windows' registers of services and of sources of events.
 *
 * Owns what stands there of it. Leaves to service.h who asks for that.
 */

#pragma once

#include <glib.h>
#include <winsock2.h>
#include <windows.h>

/* The service manager, by its calls; a test has its own. */
typedef struct {
    __typeof__(&OpenSCManagerW) open_manager;
    __typeof__(&CreateServiceW) create;
    __typeof__(&OpenServiceW) open;
    __typeof__(&ChangeServiceConfigW) change;
    __typeof__(&ChangeServiceConfig2W) change_more;
    __typeof__(&QueryServiceStatusEx) query;
    __typeof__(&ControlService) control;
    __typeof__(&DeleteService) remove;
    __typeof__(&CloseServiceHandle) close;
} ServiceManager;

/* As service_manage(), with any manager. */
gboolean service_manage_by(const ServiceManager *calls, const char *action, const char *const *argv,
                           GError **error);
