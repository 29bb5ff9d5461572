/* SPDX-License-Identifier: GPL-2.0-or-later */

/* main: qga-agent from its command line to its exit status: 0 when told to stop, 1 where it cannot
 * start. */

#include <stdlib.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/footprint.h"
#include "agent/log.h"
#include "agent/places.h"
#include "agent/service.h"
#include "common/guest-schema/guest-commands.h"
#include "common/qmp-error.h"

typedef struct {
    const Config *config;
    const char *pidfile;
    Policy *policy;
    State *state;
    GMainLoop *loop;
    Agent *agent;
    gboolean files_claimed;
} Program;

static void list_commands(void)
{
    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++) {
        if (guest_handler_find(&guest_schema_commands[i]) != NULL)
            printf("%s\n", guest_schema_commands[i].name);
    }
}

/* Apart from the list of commands, which scripts make a list of names of. */
static void list_classes(void)
{
    for (guint i = 0; i < GUEST_PRIVILEGES; i++) {
        printf("@%s:", guest_privilege_names[i]);
        for (guint j = 0; j < GUEST_SCHEMA_COMMANDS; j++) {
            const GuestCommand *command = &guest_schema_commands[j];

            if (guest_handler_find(command) != NULL && (command->privileges & (1u << i)) != 0 &&
                command->privileges != GUEST_PRIVILEGE_ALL)
                printf(" %s", command->name);
        }
        printf("\n");
    }
}

static void on_quit(gpointer user)
{
    g_main_loop_quit(user);
}

/* Called by the main loop, so that one which comes sooner is minded then. */
static void on_stop(gpointer user)
{
    Program *program = user;

    g_debug("told to end");
    agent_quit(program->agent, on_quit, program->loop);
}

/* A socket that was handed over decides what the channel is, whatever the options say. */
static gboolean find_channel(const Config *config, ChannelAddress *ret, GError **error)
{
    switch (service_inherited_channel(ret, error)) {
    case SERVICE_CHANNEL_INHERITED: return TRUE;
    case SERVICE_CHANNEL_UNFIT: return FALSE;
    case SERVICE_CHANNEL_NONE: return config_channel(config, ret, error);
    }
    g_assert_not_reached();
}

/* All that is written to filesystems from the start. */
static gboolean claim_files(Program *program, GError **error)
{
    const Config *config = program->config;

    program->files_claimed = TRUE;
    if (config->daemonize && !service_lock_pidfile(program->pidfile, error))
        return FALSE;
    return state_check(program->state, error) &&
           (config->logfile == NULL || log_open(config->logfile, error));
}

/* Claims what had to wait, where a former agent has left filesystems frozen. */
static void on_thawed(gpointer user)
{
    Program *program = user;
    g_autoptr(GError) error = NULL;

    if (!program->files_claimed && !claim_files(program, &error))
        g_warning("%s", error->message);
}

/* Relative to where the agent was started, which the background is not. As with qemu-ga, the other
 * paths are relative to where it runs. */
static char *find_pidfile(const Config *config)
{
    g_autofree char *directory = NULL;

    if (g_path_is_absolute(config->pidfile))
        return g_strdup(config->pidfile);
    directory = g_get_current_dir();
    return g_build_filename(directory, config->pidfile, NULL);
}

/* @excluded: becomes the list's, with a NULL behind it */
static FreezerOptions freezer_options(const Config *config, GPtrArray *excluded)
{
    g_ptr_array_extend(excluded, config->freeze_exclude, NULL, NULL);
    g_ptr_array_add(excluded, NULL);
    return (FreezerOptions){
        .hook = config->hook,
        .hook_limit_ms = (guint)config->hook_timeout * 1000,
        .timeout_ms = (guint)config->freeze_timeout * 1000,
        .excluded = (char **)excluded->pdata,
        .skip_unopenable = config->freeze_skip_unopenable,
        .expedite = !config->freeze_no_expedite,
    };
}

/* Where the thaw has just failed it would wait for one. */
static void remove_pidfile(const Policy *policy)
{
    if (!policy->frozen)
        service_remove_pidfile();
}

/* From here on paths count from where the agent runs. */
static gboolean run(Program *program, const ChannelAddress *address, GError **error)
{
    const Config *config = program->config;
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GPtrArray) excluded = g_ptr_array_new();
    g_autoptr(Agent) agent = NULL;

    program->loop = loop;
    service_watch_signals(on_stop, program); /* before all that takes time: see on_stop() */
    if (!state_is_marked_frozen(program->state) && !claim_files(program, error))
        return FALSE;
    agent = agent_new(&(AgentOptions){
        .freezer = freezer_options(config, excluded),
        .policy = program->policy,
        .state = program->state,
        .thawed = on_thawed,
        .answered = footprint_trim,
        .user = program,
    });
    program->agent = agent;
    log_debug("qga-agent " QGA_PROXY_VERSION " starts");
    if (!agent_open(agent, address, error))
        return FALSE;
    service_ready();
    g_main_loop_run(loop);
    if (agent_is_working(agent)) {
        remove_pidfile(program->policy);
        service_end(NULL);
        _exit(EXIT_SUCCESS);
    }
    return TRUE;
}

static gboolean run_configured(const Config *config, GError **error)
{
    g_autofree char *pidfile = find_pidfile(config);
    Policy policy;
    State state;
    Program program = {.config = config, .pidfile = pidfile, .policy = &policy, .state = &state};
    ChannelAddress address;
    gboolean ok;

    log_init(config->verbose);
    if (!find_channel(config, &address, error))
        return FALSE;
    if (config->daemonize && !service_detach(error))
        return FALSE;
    places_make_directory(config->statedir);
    policy_init(&policy, config->allowed, config->blocked);
    state_init(&state, config->statedir);
    ok = run(&program, &address, error);
    if (ok)
        g_debug("qga-agent ends");
    remove_pidfile(&policy);
    state_clear(&state);
    policy_clear(&policy);
    return ok;
}

static gboolean act(const Config *config, const char *program, GError **error)
{
    switch (config->action) {
    case CONFIG_DUMP: config_dump(config, stdout); return TRUE;
    case CONFIG_HELP: config_print_help(program, stdout); return TRUE;
    case CONFIG_VERSION: printf("QEMU Guest Agent " QGA_PROXY_VERSION "\n"); return TRUE;
    case CONFIG_LIST_COMMANDS: list_commands(); return TRUE;
    case CONFIG_LIST_CLASSES: list_classes(); return TRUE;
    case CONFIG_SERVICE:
        return service_manage(config->service, (const char *const *)config->given->pdata, error);
    case CONFIG_RUN: return run_configured(config, error);
    }
    g_assert_not_reached();
}

int main(int argc, char **argv)
{
    g_auto(Config) config = {0};
    g_auto(GStrv) words = service_command_line(argv);
    g_autoptr(GError) error = NULL;

    service_secure_standard_streams();
    if (config_init(&config, (int)g_strv_length(words), words, &error) &&
        act(&config, words[0], &error)) {
        service_end(NULL);
        return EXIT_SUCCESS;
    }
    g_printerr("%s\n", error->message);
    service_end(error);
    return EXIT_FAILURE;
}
