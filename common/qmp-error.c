/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qmp-error.h"

G_DEFINE_QUARK(qmp_error, qmp_error)

static const char *const class_names[] = {
    [QMP_ERROR_GENERIC_ERROR] = "GenericError",
    [QMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
    [QMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    [QMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
    [QMP_ERROR_KVM_MISSING_CAP] = "KVMMissingCap",
};

const char *qmp_error_class(const GError *error)
{
    if (error->domain == QMP_ERROR && error->code >= 0 &&
        error->code < (int)G_N_ELEMENTS(class_names))
        return class_names[error->code];
    return class_names[QMP_ERROR_GENERIC_ERROR];
}

QmpError qmp_error_from_class(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(class_names); i++)
        if (g_str_equal(name, class_names[i]))
            return (QmpError)i;
    return QMP_ERROR_GENERIC_ERROR;
}

void qmp_error_set(GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR, text);
}
