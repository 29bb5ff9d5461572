/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Options, keys, defaults and precedence are qemu-ga's. What a system has of its own (places.h)
 * stands in what is expected as a word in braces. */

#include "agent/config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "agent/fixture.h"
#include "agent/places.h"

static char *directory;
static char *config_path; /* of a file that a test may write */

/* The first channel that has no path of its own; NULL: all have. */
static const PlacesChannel *find_pathless(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(places.channels) && places.channels[i].name != NULL; i++) {
        if (places.channels[i].path == NULL)
            return &places.channels[i];
    }
    return NULL;
}

static void put(GString *text, const char *word, const char *place)
{
    g_autofree char *path = places_expand(place);
    g_autoptr(GString) escaped = g_string_new(path);

    g_string_replace(escaped, "\\", "\\\\", 0); /* as in a file of keys */
    g_string_replace(text, word, escaped->str, 0);
}

/* Returns: @text with the system's places in it */
static char *fill_in(const char *text)
{
    GString *filled = g_string_new(text);

    put(filled, "{virtio}", places.channels[0].path);
    put(filled, "{serial}", places.channels[1].path);
    put(filled, "{pidfile}", places.pidfile);
    put(filled, "{statedir}", places.state_directory);
    return g_string_free(filled, FALSE);
}

static gboolean parse(Config *config, const char *line, GError **error)
{
    g_autofree char *whole = g_strconcat("qga-agent ", line, NULL);
    g_auto(GStrv) argv = g_strsplit(whole, " ", -1);
    guint argc = g_strv_length(argv);

    if (*line == '\0')
        argc = 1;
    return config_init(config, (int)argc, argv, error);
}

static char *dump(const Config *config)
{
    g_autofree char *path = g_build_filename(directory, "dump", NULL);
    FILE *out = g_fopen(path, "wb");
    char *text = NULL;

    g_assert_nonnull(out);
    config_dump(config, out);
    fclose(out);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_remove(path);
    return text;
}

static void check_dump(const char *line, const char *expected)
{
    g_auto(Config) config = {0};
    g_autofree char *text = NULL;
    g_autofree char *filled = fill_in(expected);
    GError *error = NULL;

    if (!parse(&config, line, &error))
        g_assert_no_error(error);
    text = dump(&config);
    g_assert_cmpstr(text, ==, filled);
}

static void check_error(const char *line, const char *words)
{
    g_auto(Config) config = {0};
    g_autoptr(GError) error = NULL;
    ChannelAddress address;
    gboolean ok = parse(&config, line, &error) && config_channel(&config, &address, &error);

    fixture_check_words(ok, error, words);
}

static void write_config(const char *text)
{
    g_autofree char *filled = fill_in(text);

    g_assert_true(g_file_set_contents(config_path, filled, -1, NULL));
}

#define DEFAULTS_HEAD \
    "[general]\n"     \
    "daemon=false\n"  \
    "method=virtio-serial\n"
#define DEFAULTS_TAIL       \
    "pidfile={pidfile}\n"   \
    "statedir={statedir}\n" \
    "verbose=false\n"       \
    "retry-path=false\n"
#define DEFAULT_PATH "path={virtio}\n"

static void test_defaults(void)
{
    check_dump("", DEFAULTS_HEAD DEFAULT_PATH DEFAULTS_TAIL "block-rpcs=\nallow-rpcs=\n");
}

static const char everything[] = "[general]\n"
                                 "daemon=true\n"
                                 "method=isa-serial\n"
                                 "path=/s\n"
                                 "logfile=/l\n"
                                 "pidfile=/f\n"
                                 "fsfreeze-hook=/h\n"
                                 "statedir=/t\n"
                                 "verbose=true\n"
                                 "retry-path=true\n"
                                 "block-rpcs=a,b,c\n"
                                 "allow-rpcs=d\n"
                                 "freeze-timeout=7\n"
                                 "freeze-exclude=/a,xfs\n"
                                 "freeze-skip-unopenable=true\n"
                                 "freeze-no-expedite=true\n"
                                 "fsfreeze-hook-timeout=9\n";

static void test_short_options(void)
{
    check_dump("-d -m isa-serial -p /s -l /l -f /f -F/h -t /t -v -r -b a,b -b c -a d "
               "--freeze-timeout=7 --freeze-exclude=/a --freeze-exclude=xfs "
               "--freeze-skip-unopenable --freeze-no-expedite --fsfreeze-hook-timeout=9",
               everything);
}

static void test_long_options(void)
{
    check_dump("--daemonize --method isa-serial --path=/s --logfile /l --pidfile /f "
               "--fsfreeze-hook=/h --statedir=/t --verbose --retry-path --block-rpcs=a,b,c "
               "--allow-rpcs d --freeze-timeout 7 --freeze-exclude=/a,xfs "
               "--freeze-skip-unopenable --freeze-no-expedite --fsfreeze-hook-timeout 9",
               everything);
}

/* What is dumped can be loaded. */
static void test_file(void)
{
    g_autofree char *line = g_strconcat("-c ", config_path, NULL);

    write_config(everything);
    check_dump(line, everything);
    g_setenv("QGA_CONF", config_path, TRUE);
    check_dump("", everything);
    g_unsetenv("QGA_CONF");
}

static void test_command_line_over_file(void)
{
    g_autofree char *line = g_strconcat("-m isa-serial -b x -c ", config_path, NULL);

    write_config("[general]\nmethod=carrier-pigeon\nblock-rpcs=a\nno-such-key=1\n"
                 "[other]\nmethod=x\n");
    check_dump(line, "[general]\ndaemon=false\nmethod=isa-serial\npath={serial}\n" DEFAULTS_TAIL
                     "block-rpcs=a,x\nallow-rpcs=\n");
}

/* An old name for a list of what is forbidden must not be passed over. */
static void test_old_spelling(void)
{
    g_autofree char *line = g_strconcat("--blacklist=x -c ", config_path, NULL);

    write_config("[general]\nblacklist=a\n");
    check_dump(line, DEFAULTS_HEAD DEFAULT_PATH DEFAULTS_TAIL "block-rpcs=a,x\nallow-rpcs=\n");
}

/* Names and classes may stand together, and blanks between them. */
static void test_classes(void)
{
    static const char dumped[] = DEFAULTS_HEAD DEFAULT_PATH DEFAULTS_TAIL
        "block-rpcs=@exec,guest-shutdown\nallow-rpcs=@audit,@exec\n";
    g_autofree char *line = g_strconcat("-c ", config_path, NULL);

    write_config("[general]\nblock-rpcs = @exec, guest-shutdown\nallow-rpcs=@audit ,@exec,\n");
    check_dump(line, dumped);
    write_config(dumped);
    check_dump(line, dumped);
}

static void test_hook(void)
{
    g_autofree char *usual = places_expand(places.hook);
    g_auto(Config) without = {0};
    g_auto(Config) bare = {0};
    g_auto(Config) named = {0};

    g_assert_true(parse(&without, "-v", NULL));
    g_assert_null(without.hook);
    g_assert_true(parse(&bare, "-F", NULL));
    g_assert_cmpstr(bare.hook, ==, usual);
    g_assert_true(parse(&named, "--fsfreeze-hook=/x", NULL));
    g_assert_cmpstr(named.hook, ==, "/x");
}

static void test_actions(void)
{
    static const struct {
        const char *line;
        ConfigAction action;
    } cases[] = {
        {"-v", CONFIG_RUN},
        {"-D", CONFIG_DUMP},
        {"--dump-conf", CONFIG_DUMP},
        {"-V", CONFIG_VERSION},
        {"-h", CONFIG_HELP},
        {"-b help", CONFIG_LIST_COMMANDS},
        {"-b ?", CONFIG_LIST_COMMANDS},
        {"-a help", CONFIG_LIST_COMMANDS},
        {"-b @help", CONFIG_LIST_CLASSES},
        {"-a @?", CONFIG_LIST_CLASSES},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Config) config = {0};

        g_assert_true(parse(&config, cases[i].line, NULL));
        g_assert_cmpint(config.action, ==, cases[i].action);
    }
}

static void test_errors(void)
{
    g_autofree char *line = g_strconcat("-c ", config_path, NULL);

    /* getopt tells of these on standard error, too. */
    check_error("--nonsense", "Unknown option, try 'qga-agent --help'");
    check_error("-m", "Unknown option");
    check_error("-m carrier-pigeon", "unsupported channel method/type: carrier-pigeon");
    check_error("--freeze-timeout=soon", "'soon' is no value for freeze-timeout");
    check_error("--freeze-timeout=99999999", "is no value");
    check_error("-b a,@b", "block-rpcs: there is no class '@b'");
    check_error("--blacklist=@b", "blacklist: there is no class '@b'");
    check_error("-c /nonexistent", "/nonexistent");
    write_config("[general]\nallow-rpcs=guest-ping, @Exec\n");
    check_error(line, "allow-rpcs: there is no class '@Exec'");
    write_config("[general]\nverbose=perhaps\n");
    check_error(line, "verbose");
    write_config("daemon=true\n");
    check_error(line, config_path);
}

/* What a channel that is a socket must be told. */
static void test_pathless(void)
{
    const PlacesChannel *channel = find_pathless();
    g_autofree char *line = NULL;

    if (channel == NULL) /* this system's have all a usual path */
        return;
    line = g_strconcat("-m ", channel->name, NULL);
    check_error(line, "must specify a path for this channel");
}

/* A service is started with what stands beside that option, in long form; not with the option. */
static void test_service(void)
{
    g_auto(Config) config = {0};
    g_autofree char *given = NULL;

    if (!places.has_services) {
        check_error("--service=install", "Unknown option");
        check_error("-s install", "Unknown option");
        return;
    }
    g_assert_true(parse(&config, "-d -s install -m isa-serial --path=COM2 -v -F", NULL));
    g_assert_cmpint(config.action, ==, CONFIG_SERVICE);
    g_assert_cmpstr(config.service, ==, "install");
    given = g_strjoinv(" ", (char **)config.given->pdata);
    g_assert_cmpstr(given, ==, "--method=isa-serial --path=COM2 --verbose --fsfreeze-hook");
}

static void test_missing_default_file(void)
{
    g_setenv("QGA_CONF", "/nonexistent", TRUE);
    check_dump("", DEFAULTS_HEAD DEFAULT_PATH DEFAULTS_TAIL "block-rpcs=\nallow-rpcs=\n");
    g_unsetenv("QGA_CONF");
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    directory = g_dir_make_tmp("qga-XXXXXX", NULL);
    config_path = g_build_filename(directory, "config", NULL);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/short-options", test_short_options);
    g_test_add_func("/config/long-options", test_long_options);
    g_test_add_func("/config/file", test_file);
    g_test_add_func("/config/command-line-over-file", test_command_line_over_file);
    g_test_add_func("/config/old-spelling", test_old_spelling);
    g_test_add_func("/config/classes", test_classes);
    g_test_add_func("/config/hook", test_hook);
    g_test_add_func("/config/actions", test_actions);
    g_test_add_func("/config/errors", test_errors);
    g_test_add_func("/config/pathless", test_pathless);
    g_test_add_func("/config/service", test_service);
    g_test_add_func("/config/missing-default-file", test_missing_default_file);
    result = g_test_run();
    g_remove(config_path);
    g_rmdir(directory);
    g_free(config_path);
    g_free(directory);
    return result;
}
