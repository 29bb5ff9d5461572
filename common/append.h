/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* append: what g_string_append_len() does, in the few instructions that it takes where there is
 * room, which is nearly always; GLib itself has it so from 2.76 on. */

#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

static inline void append_bytes(GString *out, const char *bytes, gsize len)
{
    if (len >= out->allocated_len - out->len) {
        g_string_append_len(out, bytes, (gssize)len);
        return;
    }
    memcpy(out->str + out->len, bytes, len);
    out->len += len;
    out->str[out->len] = '\0';
}

/* @text: a literal */
#define append_literal(out, text) append_bytes(out, text, sizeof(text "") - 1)

G_END_DECLS
