/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config: a file for QEMU's -readconfig.
 *
 *   [chardev "qga0"]
 *     backend = "qga_proxy"
 *
 * Owns the syntax. What it does not understand is QEMU's to refuse.
 */

#pragma once

#include "option.h"

G_BEGIN_DECLS

typedef struct {
    char *group; /* "chardev" */
    char *id;    /* (nullable): also the option's "id" */
    Option *option;
} ConfigSection;

/* Returns: (transfer full) (nullable) (element-type ConfigSection): NULL, with @error set, where a
 * line is none of such a file */
GPtrArray *config_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: (transfer full): text of such a file */
char *config_to_text(const GPtrArray *sections);

G_END_DECLS
