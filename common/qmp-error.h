/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * qmp-error: the five error classes of QMP as a GError domain.
 *
 * A GError of this domain is what a peer is told: its code is the class, its message the desc.
 * There is no sixth class: clients with an enum type for them break on any other word.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define QMP_ERROR (qmp_error_quark())
GQuark qmp_error_quark(void);

typedef enum {
    QMP_ERROR_GENERIC_ERROR,
    QMP_ERROR_COMMAND_NOT_FOUND,
    QMP_ERROR_DEVICE_NOT_ACTIVE,
    QMP_ERROR_DEVICE_NOT_FOUND,
    QMP_ERROR_KVM_MISSING_CAP,
} QmpError;

/**
 * qmp_error_class:
 * Returns: the class of @error as QMP spells it; "GenericError" for any other domain
 */
const char *qmp_error_class(const GError *error);

/**
 * qmp_error_from_class:
 * Returns: the code of a class' name; QMP_ERROR_GENERIC_ERROR where the name is none of the five
 */
QmpError qmp_error_from_class(const char *name);

/* Sets a GenericError, what nearly every failure is. */
void qmp_error_set(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
