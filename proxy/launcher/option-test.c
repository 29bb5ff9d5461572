/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "config.h"
#include "option.h"

static Option *parse(const char *text, const char *first)
{
    g_autoptr(GError) error = NULL;
    Option *option = option_parse(text, first, &error);

    g_assert_no_error(error);
    return option;
}

static void check_text(const Option *option, const char *wanted)
{
    g_autofree char *text = option_to_text(option);

    g_assert_cmpstr(text, ==, wanted);
}

/* QEMU's rules: commas doubled, the last of a key counts, a word alone is a switch. */
static void test_keys(void)
{
    g_autoptr(Option) option =
        parse("socket,id=a,path=/x,,y=1,server,nowait,id=b,notify=,", "backend");

    g_assert_cmpstr(option_get(option, "backend"), ==, "socket");
    g_assert_cmpstr(option_get(option, "path"), ==, "/x,y=1");
    g_assert_cmpstr(option_get(option, "server"), ==, "on");
    g_assert_cmpstr(option_get(option, "wait"), ==, "off");
    g_assert_cmpstr(option_get(option, "id"), ==, "b");
    g_assert_cmpstr(option_get(option, "notify"), ==, "");
    g_assert_null(option_get(option, "port"));
    check_text(option, "socket,id=a,path=/x,,y=1,server,nowait,id=b,notify=,");
}

static void test_first(void)
{
    g_autoptr(Option) named = parse("id=a,backend=socket", "backend");
    g_autoptr(Option) path = parse("/run/a,,b=c,server", "path");
    g_autoptr(Option) nothing = parse("", "backend");

    g_assert_cmpstr(option_get(named, "backend"), ==, "socket");
    g_assert_null(option_get(nothing, "backend"));
    /* What stands in front has an equals sign: as in QEMU, that is a key. */
    g_assert_cmpstr(option_get(path, "/run/a,b"), ==, "c");
}

static void test_switch(void)
{
    g_autoptr(Option) option = parse("a=yes,b=off,c=perhaps", NULL);
    g_autoptr(GError) error = NULL;
    gboolean on;

    g_assert_true(option_get_switch(option, "a", FALSE, &on, NULL) && on);
    g_assert_true(option_get_switch(option, "b", TRUE, &on, NULL) && !on);
    g_assert_true(option_get_switch(option, "z", TRUE, &on, NULL) && on);
    g_assert_false(option_get_switch(option, "c", TRUE, &on, &error));
    g_assert_cmpstr(error->message, ==, "'c' is on or off, not 'perhaps'");
}

static void test_change(void)
{
    g_autoptr(Option) option = parse("socket,id=a,path=/x,,y,id=b,server", "backend");
    g_autoptr(Option) other = parse("null,id=n", "backend");

    option_set(option, "id", "c,d");
    option_set(option, "fd", "7");
    option_remove(option, "path");
    check_text(option, "socket,id=c,,d,server=on,fd=7");
    option_assign(option, other);
    check_text(option, "null,id=n");
}

static void test_json(void)
{
    static const char text[] = "{\"driver\": \"virtserialport\",\"nr\":1, \"hotplug\":false}";
    g_autoptr(Option) option = parse(text, "driver");
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(option_get(option, "driver"), ==, "virtserialport");
    g_assert_cmpstr(option_get(option, "nr"), ==, "1");
    g_assert_cmpstr(option_get(option, "hotplug"), ==, "off");
    check_text(option, text);
    option_set(option, "id", "p\"0");
    check_text(option,
               "{\"driver\":\"virtserialport\",\"nr\":1,\"hotplug\":false,\"id\":\"p\\\"0\"}");
    g_assert_null(option_parse("{\"driver\": ", "driver", &error));
    g_assert_error(error, OPTION_ERROR, OPTION_ERROR_SYNTAX);
}

static void test_config(void)
{
    static const char text[] = "# a machine\n\n[chardev \"qga0\"]\n  backend = \"qga_proxy\"\n"
                               "[machine]\ntype=\"pc\"\n[mon \"m\"]\n\tchardev = \"a b\" \n";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) sections = config_parse(text, &error);
    g_autofree char *written = NULL;
    const ConfigSection *section;

    g_assert_no_error(error);
    g_assert_cmpuint(sections->len, ==, 3);
    section = sections->pdata[0];
    g_assert_cmpstr(section->group, ==, "chardev");
    g_assert_cmpstr(option_get(section->option, "id"), ==, "qga0");
    g_assert_cmpstr(option_get(section->option, "backend"), ==, "qga_proxy");
    written = config_to_text(sections);
    g_assert_cmpstr(written, ==,
                    "[chardev \"qga0\"]\n  backend = \"qga_proxy\"\n[machine]\n  type = \"pc\"\n"
                    "[mon \"m\"]\n  chardev = \"a b\"\n");
}

static void test_config_faults(void)
{
    static const char *const faults[] = {"x = \"y\"\n", "[chardev \"a\"\n",
                                         "[chardev \"a\"]\n x = y\n", "[a]\nfoo\n"};

    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(config_parse(faults[i], &error));
        g_assert_error(error, OPTION_ERROR, OPTION_ERROR_SYNTAX);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/option/keys", test_keys);
    g_test_add_func("/option/first", test_first);
    g_test_add_func("/option/switch", test_switch);
    g_test_add_func("/option/change", test_change);
    g_test_add_func("/option/json", test_json);
    g_test_add_func("/config/sections", test_config);
    g_test_add_func("/config/faults", test_config_faults);
    return g_test_run();
}
