/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "arguments.h"

#include <string.h>

/* Of QEMU 2.0 to 10: each other option has a value. tests/integration/test_launcher.py holds it to
 * the -help of the QEMU that is there. */
static const char *const alone[] = {
    "S",
    "alt-grab",
    "async-teardown",
    "audio-help",
    "ctrl-grab",
    "curses",
    "daemonize",
    "enable-fips",
    "enable-kvm",
    "enable-sync-profile",
    "full-screen",
    "h",
    "help",
    "jitdump",
    "mem-prealloc",
    "no-acpi",
    "no-fd-bootchk",
    "no-frame",
    "no-hpet",
    "no-kvm",
    "no-kvm-irqchip",
    "no-kvm-pit",
    "no-quit",
    "no-reboot",
    "no-shutdown",
    "no-user-config",
    "nodefaults",
    "nodefconfig",
    "nographic",
    "old-param",
    "one-insn-per-tb",
    "only-migratable",
    "perfmap",
    "portrait",
    "preconfig",
    "s",
    "sdl",
    "semihosting",
    "show-cursor",
    "singlestep",
    "snapshot",
    "tdf",
    "usb",
    "version",
    "win2k-hack",
    "xen-attach",
    "xen-domid-restrict",
    NULL,
};

static void argument_free(gpointer data)
{
    Argument *argument = data;

    g_free(argument->name);
    g_free(argument->word);
    g_free(argument->value);
    g_free(argument->mon);
    g_free(argument);
}

/* As QEMU does: one dash or two, and a lone dash is a file. */
static const char *name_of(const char *word)
{
    if (word[0] != '-' || word[1] == '\0')
        return NULL;
    return word + (word[1] == '-' ? 2 : 1);
}

GPtrArray *arguments_parse(const char *const *argv)
{
    GPtrArray *arguments = g_ptr_array_new_with_free_func(argument_free);

    for (; *argv; argv++) {
        Argument *argument = g_new0(Argument, 1);
        const char *name = name_of(*argv);

        argument->word = g_strdup(*argv);
        argument->name = g_strdup(name);
        if (name && !g_strv_contains(alone, name) && argv[1])
            argument->value = g_strdup(*++argv);
        g_ptr_array_add(arguments, argument);
    }
    return arguments;
}

const char *arguments_find(const GPtrArray *arguments, const char *name)
{
    const char *found = NULL;

    for (guint i = 0; i < arguments->len; i++) {
        const Argument *argument = arguments->pdata[i];

        if (g_strcmp0(argument->name, name) == 0)
            found = argument->value ? argument->value : "";
    }
    return found;
}

void argument_set_value(Argument *argument, const char *value)
{
    g_free(argument->value);
    argument->value = g_strdup(value);
}

void argument_replace(Argument *argument, const char *word, const char *value)
{
    g_free(argument->word);
    argument->word = g_strdup(word);
    argument_set_value(argument, value);
}

char **arguments_to_argv(const GPtrArray *arguments, const char *program)
{
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, g_strdup(program));
    for (guint i = 0; i < arguments->len; i++) {
        const Argument *argument = arguments->pdata[i];

        g_ptr_array_add(argv, g_strdup(argument->word));
        if (argument->value)
            g_ptr_array_add(argv, g_strdup(argument->value));
        if (argument->mon) {
            g_ptr_array_add(argv, g_strdup("-mon"));
            g_ptr_array_add(argv, g_strdup(argument->mon));
        }
    }
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}
