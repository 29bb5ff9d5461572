/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "settings.h"

#include "config.h"

#include <string.h>

G_DEFINE_QUARK(settings_error, settings_error)

/* A file for -readconfig. */
struct SettingsFile {
    Argument *argument;
    GPtrArray *sections; /* of ConfigSection */
};

static void setting_free(gpointer data)
{
    Setting *setting = data;

    if (setting->argument)
        option_free(setting->option);
    g_free(setting->where);
    g_free(setting);
}

static void file_free(gpointer data)
{
    SettingsFile *file = data;

    g_ptr_array_unref(file->sections);
    g_free(file);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static const struct {
    const char *group;
    const char *first; /* the key that may stand in front without its name */
} groups[] = {{"chardev", "backend"}, {"device", "driver"}, {"mon", "chardev"}};

static Setting *add_setting(Settings *settings, const char *group, Option *option)
{
    Setting *setting = g_new0(Setting, 1);

    setting->group = group;
    setting->option = option;
    g_ptr_array_add(settings->list, setting);
    return setting;
}

static gboolean read_argument(Settings *settings, Argument *argument, GError **error)
{
    for (guint i = 0; argument->value && i < G_N_ELEMENTS(groups); i++) {
        Setting *setting;
        Option *option;

        if (g_strcmp0(argument->name, groups[i].group) != 0)
            continue;
        option = option_parse(argument->value, groups[i].first, error);
        if (!option) {
            g_prefix_error(error, "%s %s: ", argument->word, argument->value);
            return FALSE;
        }
        setting = add_setting(settings, groups[i].group, option);
        setting->argument = argument;
        setting->where = g_strdup_printf("%s %s", argument->word, argument->value);
    }
    return TRUE;
}

static gboolean read_config(Settings *settings, Argument *argument, SettingsReadFile read_file,
                            GError **error)
{
    g_autofree char *text = read_file(argument->value, error);
    GPtrArray *sections = text ? config_parse(text, error) : NULL;
    SettingsFile *file;

    if (!sections) {
        g_prefix_error(error, "%s %s: ", argument->word, argument->value);
        return FALSE;
    }
    file = g_new0(SettingsFile, 1);
    file->argument = argument;
    file->sections = sections;
    g_ptr_array_add(settings->files, file);
    for (guint i = 0; i < sections->len; i++) {
        ConfigSection *section = sections->pdata[i];
        Setting *setting = add_setting(settings, section->group, section->option);

        setting->file = file;
        setting->where = g_strdup_printf("%s: [%s \"%s\"]", argument->value, section->group,
                                         section->id ? section->id : "");
    }
    return TRUE;
}

static gboolean read_all(Settings *settings, SettingsReadFile read_file, GError **error)
{
    for (guint i = 0; i < settings->arguments->len; i++) {
        Argument *argument = settings->arguments->pdata[i];

        if (g_strcmp0(argument->name, "readconfig") == 0 && argument->value) {
            if (!read_config(settings, argument, read_file, error))
                return FALSE;
        } else if (!read_argument(settings, argument, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

Settings *settings_new(const char *const *qemu, SettingsReadFile read_file, GError **error)
{
    g_autoptr(Settings) settings = g_new0(Settings, 1);

    settings->arguments = arguments_parse(qemu + 1);
    settings->list = g_ptr_array_new_with_free_func(setting_free);
    settings->files = g_ptr_array_new_with_free_func(file_free);
    return read_all(settings, read_file, error) ? g_steal_pointer(&settings) : NULL;
}

void settings_free(Settings *settings)
{
    g_ptr_array_unref(settings->list);
    g_ptr_array_unref(settings->files);
    g_ptr_array_unref(settings->arguments);
    g_free(settings);
}

/* ---- Finding --------------------------------------------------------------------------------- */

gboolean setting_is(const Setting *setting, const char *group, const char *key, const char *value)
{
    return strcmp(setting->group, group) == 0 &&
           g_strcmp0(option_get(setting->option, key), value) == 0;
}

static Setting *find(const Settings *settings, const char *group, const char *key,
                     const char *value)
{
    for (guint i = 0; i < settings->list->len; i++)
        if (setting_is(settings->list->pdata[i], group, key, value))
            return settings->list->pdata[i];
    return NULL;
}

Setting *settings_find_chardev(const Settings *settings, const char *id)
{
    return find(settings, "chardev", "id", id);
}

Setting *settings_find_device(const Settings *settings, const char *chardev)
{
    return find(settings, "device", "chardev", chardev);
}

gboolean settings_is_on_serial(const Settings *settings, const char *chardev)
{
    g_autofree char *value = g_strconcat("chardev:", chardev, NULL);

    for (guint i = 0; i < settings->arguments->len; i++) {
        const Argument *argument = settings->arguments->pdata[i];

        if (g_strcmp0(argument->name, "serial") == 0 && g_strcmp0(argument->value, value) == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean setting_refuse(const Setting *setting, GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_OPTION, "%s: %s", setting->where, text);
    return FALSE;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static gboolean is_changed(const Settings *settings, const SettingsFile *file)
{
    for (guint i = 0; i < settings->list->len; i++) {
        const Setting *setting = settings->list->pdata[i];

        if (setting->file == file && setting->changed)
            return TRUE;
    }
    return FALSE;
}

void settings_write_back(Settings *settings, int (*open_file)(gpointer data, char *text),
                         gpointer data)
{
    for (guint i = 0; i < settings->list->len; i++) {
        const Setting *setting = settings->list->pdata[i];

        if (setting->changed && setting->argument) {
            g_autofree char *text = option_to_text(setting->option);

            argument_set_value(setting->argument, text);
        }
    }
    for (guint i = 0; i < settings->files->len; i++) {
        const SettingsFile *file = settings->files->pdata[i];
        g_autofree char *path = NULL;

        if (!is_changed(settings, file))
            continue;
        path = g_strdup_printf("/dev/fd/%d", open_file(data, config_to_text(file->sections)));
        argument_set_value(file->argument, path);
    }
}
