/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "plan.h"

#include <string.h>

static void write_command(GString *text, const char *title, char **argv)
{
    g_string_append_printf(text, "%s:", title);
    for (; *argv; argv++) {
        gboolean plain = strspn(*argv, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_=+,./:@%") == strlen(*argv) &&
                         **argv != '\0';
        g_autofree char *quoted = plain ? g_strdup(*argv) : g_shell_quote(*argv);

        g_string_append_printf(text, " %s", quoted);
    }
    g_string_append_c(text, '\n');
}

char *plan_to_text(const Plan *plan)
{
    GString *text = g_string_new(NULL);

    write_command(text, "qemu", plan->qemu);
    if (plan->through) {
        g_string_append(text, "proxy: none: there is no channel for the guest agent\n");
        return g_string_free(text, FALSE);
    }
    write_command(text, "proxy", plan->proxy);
    for (guint i = 0; i < plan->descriptors->len; i++) {
        const PlanDescriptor *descriptor = plan->descriptors->pdata[i];

        if (descriptor->path)
            g_string_append_printf(text, "descriptor %d: listens at %s\n", descriptor->fd,
                                   descriptor->path);
        else
            g_string_append_printf(text, "descriptor %d: file:\n%s", descriptor->fd,
                                   descriptor->text);
    }
    for (guint i = 0; i < plan->remarks->len; i++)
        g_string_append_printf(text, "remark: %s\n", (char *)plan->remarks->pdata[i]);
    return g_string_free(text, FALSE);
}
