/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * settings: the options of a QEMU command line that say what chardevs, devices and monitors there
 * are, wherever they stand: on the command line, or in a file for -readconfig.
 *
 * Owns where each came from and how a changed one gets back there. Leaves what is changed to
 * plan.h.
 */

#pragma once

#include "arguments.h"
#include "option.h"

G_BEGIN_DECLS

typedef struct SettingsFile SettingsFile;

typedef struct {
    const char *group; /* "chardev", "device", "mon" */
    Option *option;
    char *where; /* for messages: as it was written */
    gboolean changed;
    gboolean ours;      /* for plan.h: a chardev that QEMU has another socket for */
    Argument *argument; /* (nullable): where it stands on the command line */
    SettingsFile *file; /* else, in which file */
} Setting;

typedef struct {
    GPtrArray *arguments; /* of Argument */
    GPtrArray *list;      /* of Setting, in the order of the command line */
    GPtrArray *files;     /* of SettingsFile */
} Settings;

/* Returns: (transfer full) (nullable): the text of a file */
typedef char *(*SettingsReadFile)(const char *path, GError **error);

/* @qemu: a command line, the program in front. Returns: (nullable): NULL, with @error set, where
 * something cannot be read */
Settings *settings_new(const char *const *qemu, SettingsReadFile read_file,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void settings_free(Settings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settings, settings_free)

/* Returns: (nullable) */
Setting *settings_find_chardev(const Settings *settings, const char *id);

/* Returns: (nullable): the device that uses a chardev */
Setting *settings_find_device(const Settings *settings, const char *chardev);

/* Whether a chardev is behind a serial port, by -serial chardev:ID. */
gboolean settings_is_on_serial(const Settings *settings, const char *chardev);

gboolean setting_is(const Setting *setting, const char *group, const char *key, const char *value);

/* Fails with one line that names the setting. Returns: FALSE */
gboolean setting_refuse(const Setting *setting, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/**
 * settings_write_back:
 * @open_file: returns the number of a descriptor from which QEMU will read @text
 *
 * What was changed gets into the arguments.
 */
void settings_write_back(Settings *settings, int (*open_file)(gpointer data, char *text),
                         gpointer data);

#define SETTINGS_ERROR (settings_error_quark())
GQuark settings_error_quark(void);

typedef enum { SETTINGS_ERROR_OPTION } SettingsError;

G_END_DECLS
