/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "negotiation.h"

#include "common/envelope.h"
#include "common/qmp-error.h"

static gboolean read_capability(JsonSpan capability, gboolean oob_offered, GError **error)
{
    g_autofree char *name = NULL;

    if (json_read_kind(capability) != JSON_KIND_STRING) {
        qmp_error_set(error, "Invalid parameter type for 'enable', expected: string");
        return FALSE;
    }
    name = envelope_quotable(capability);
    if (!g_str_equal(name, "oob")) {
        qmp_error_set(error, "Parameter 'enable' does not accept value '%s'", name);
        return FALSE;
    }
    if (!oob_offered) {
        qmp_error_set(error, "Capability oob not available");
        return FALSE;
    }
    return TRUE;
}

gboolean negotiation_read(JsonSpan arguments, gboolean oob_offered, gboolean *ret_oob,
                          GError **error)
{
    JsonWalk walk = json_read_walk(arguments);
    JsonSpan key, value;
    gboolean oob = FALSE;

    while (arguments.text && json_read_member(&walk, &key, &value)) {
        JsonWalk names = json_read_walk(value);
        JsonSpan name;

        if (!json_read_is(key, "enable")) {
            g_autofree char *stranger = envelope_quotable(key);

            qmp_error_set(error, "Parameter '%s' is unexpected", stranger);
            return FALSE;
        }
        if (json_read_kind(value) != JSON_KIND_ARRAY) {
            qmp_error_set(error, "Invalid parameter type for 'enable', expected: array");
            return FALSE;
        }
        while (json_read_element(&names, &name)) {
            if (!read_capability(name, oob_offered, error))
                return FALSE;
            oob = TRUE;
        }
    }
    *ret_oob = oob;
    return TRUE;
}
