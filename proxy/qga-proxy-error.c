/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The errors' codes as a type, by which other languages know what belongs to the domain.
 */

#include "qga-proxy.h"

GType qga_proxy_error_get_type(void)
{
#define VALUE(value, nick)  \
    {                       \
        value, #value, nick \
    }
    static const GEnumValue values[] = {
        VALUE(QGA_PROXY_ERROR_ADDRESS, "address"),
        VALUE(QGA_PROXY_ERROR_SOCKET, "socket"),
        VALUE(QGA_PROXY_ERROR_STATE, "state"),
        VALUE(QGA_PROXY_ERROR_LIMIT, "limit"),
        VALUE(QGA_PROXY_ERROR_FILE, "file"),
        VALUE(QGA_PROXY_ERROR_CACHE, "cache"),
        VALUE(QGA_PROXY_ERROR_ARGUMENTS, "arguments"),
        VALUE(QGA_PROXY_ERROR_COMMAND_NOT_FOUND, "command-not-found"),
        VALUE(QGA_PROXY_ERROR_COMMAND_FAILED, "command-failed"),
        VALUE(QGA_PROXY_ERROR_NOT_SENT, "not-sent"),
        VALUE(QGA_PROXY_ERROR_NO_ANSWER, "no-answer"),
        VALUE(QGA_PROXY_ERROR_REPLY, "reply"),
        {0, NULL, NULL},
    };
    static gsize type;

    if (g_once_init_enter(&type))
        g_once_init_leave(&type,
                          g_enum_register_static(g_intern_static_string("QgaProxyError"), values));
    return type;
}
