/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * power: guest-shutdown, guest-suspend-disk, -ram, -hybrid.
 *
 * All are done by the guest's own tools, where it has some: they stop services, save clocks and ask
 * those who hold sleep off. Success is answered by silence, and shows in the machine's state.
 */

#include <string.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "helper.h"

/* ---- Shutdown -------------------------------------------------------------------------------- */

static void on_shutdown_end(gpointer user, const SystemExit *result)
{
    g_autoptr(GError) error = NULL;

    helper_check(result, "shutdown", &error);
    call_finish(user, error);
}

gboolean guest_shutdown(Commands *commands, const GuestShutdownArguments *args, Call *call,
                        GError **error)
{
    static const struct {
        const char *mode;
        const char *tool;
        const char *option; /* of shutdown(8) */
    } modes[] = {
        {"powerdown", "poweroff", "-P"},
        {"halt", "halt", "-H"},
        {"reboot", "reboot", "-r"},
    };
    System *system = commands->system;
    g_autofree char *tool = NULL;
    g_autofree char *shutdown = NULL;
    guint i = 0;

    while (i < G_N_ELEMENTS(modes) && strcmp(args->mode, modes[i].mode) != 0)
        i++;
    if (i == G_N_ELEMENTS(modes)) {
        qmp_error_set(error, "mode is invalid (valid values are: halt|powerdown|reboot)");
        return FALSE;
    }
    call_defer(call);
    tool = system->find_tool(system, modes[i].tool);
    if (tool != NULL) {
        helper_run(system, (const char *const[]){tool, NULL}, on_shutdown_end, call);
        return TRUE;
    }
    shutdown = system->find_tool(system, "shutdown");
    helper_run(system,
               (const char *const[]){shutdown != NULL ? shutdown : "/sbin/shutdown", "-h",
                                     modes[i].option, "+0", "hypervisor initiated shutdown", NULL},
               on_shutdown_end, call);
    return TRUE;
}

/* ---- Suspend --------------------------------------------------------------------------------- */

typedef struct {
    const char *systemd_unit;
    const char *systemd_verb;
    const char *pm_option;
    const char *pm_tool;
    const char *disk_mode; /* (nullable): for /sys/power/disk */
    const char *state;     /* for /sys/power/state */
} SuspendMode;

static const SuspendMode to_disk = {
    "systemd-hibernate", "hibernate", "--hibernate", "pm-hibernate", NULL, "disk",
};
static const SuspendMode to_ram = {
    "systemd-suspend", "suspend", "--suspend", "pm-suspend", NULL, "mem",
};
/* The kernel writes its image to disk and then, rather than powering off, suspends to memory. */
static const SuspendMode to_both = {
    "systemd-hybrid-sleep", "hybrid-sleep", "--suspend-hybrid",
    "pm-suspend-hybrid",    "suspend",      "disk",
};

/* Each way is asked first whether it can, then told to; the next is tried where either fails. */
typedef struct {
    System *system;
    Call *call;
    const SuspendMode *mode;
    guint step;
    char *tool;      /* of the step that runs */
    GError *failure; /* (nullable): of the last way that said it could */
} Suspend;

typedef enum {
    STEP_SYSTEMD_ASK,
    STEP_SYSTEMD,
    STEP_PM_ASK,
    STEP_PM,
    STEP_KERNEL,
} SuspendStep;

static gboolean is_offered(System *system, const char *path, const char *word)
{
    g_autofree char *text = system->read_file(system, path);
    g_auto(GStrv) words = text != NULL ? g_strsplit_set(text, " \n[]", -1) : NULL;

    return words != NULL && g_strv_contains((const char *const *)words, word);
}

/* Returns: (nullable): the word in brackets, which is the one that is set */
static char *read_chosen(System *system, const char *path)
{
    g_autofree char *text = system->read_file(system, path);
    const char *open = text != NULL ? strchr(text, '[') : NULL;
    const char *close = open != NULL ? strchr(open, ']') : NULL;

    return close != NULL ? g_strndup(open + 1, (gsize)(close - open - 1)) : NULL;
}

/* Returns after the guest has woken up again. */
static gboolean suspend_by_kernel(System *system, const SuspendMode *mode, GError **error)
{
    static const char state_path[] = "/sys/power/state", disk_path[] = "/sys/power/disk";
    g_autofree char *former = NULL;
    gboolean ok;

    if (!is_offered(system, state_path, mode->state) ||
        (mode->disk_mode != NULL && !is_offered(system, disk_path, mode->disk_mode))) {
        qmp_error_set(error, "the requested suspend mode is not supported by the guest");
        return FALSE;
    }
    if (mode->disk_mode == NULL)
        return system->write_file(system, state_path, mode->state, error);
    former = read_chosen(system, disk_path);
    if (!system->write_file(system, disk_path, mode->disk_mode, error))
        return FALSE;
    ok = system->write_file(system, state_path, mode->state, error);
    /* Or the next guest-suspend-disk would be one of these. */
    if (former != NULL && !system->write_file(system, disk_path, former, NULL))
        g_warning("cannot set %s back to '%s'", disk_path, former);
    return ok;
}

static void suspend_finish(Suspend *suspend)
{
    call_finish(suspend->call, suspend->failure);
    g_clear_error(&suspend->failure);
    g_free(suspend->tool);
    g_free(suspend);
}

static void suspend_kernel(Suspend *suspend)
{
    g_autoptr(GError) error = NULL;

    if (suspend_by_kernel(suspend->system, suspend->mode, &error))
        g_clear_error(&suspend->failure);
    else if (suspend->failure == NULL)
        suspend->failure = g_steal_pointer(&error);
    suspend_finish(suspend);
}

/* A step's program ends, and the next step begins. */
static void suspend_next(Suspend *suspend, SuspendStep step);

static gboolean tool_succeeded(Suspend *suspend, const SystemExit *result)
{
    if (result->error == NULL && result->status == 0)
        return TRUE;
    g_clear_error(&suspend->failure);
    if (result->error != NULL)
        qmp_error_set(&suspend->failure, "the helper program '%s' failed: %s", suspend->tool,
                      result->error->message);
    else
        qmp_error_set(&suspend->failure,
                      "the helper program '%s' returned an unexpected exit status code (%d)",
                      suspend->tool, result->status);
    return FALSE;
}

static void on_suspend_step(gpointer user, const SystemExit *result)
{
    Suspend *suspend = user;
    gboolean ran = result->error == NULL;

    switch ((SuspendStep)suspend->step) {
    case STEP_SYSTEMD_ASK:
        /* 0 to 3 are states that a unit can be in, by the LSB; 4 is one that does not exist. */
        suspend_next(suspend, ran && result->status >= 0 && result->status <= 3 ? STEP_SYSTEMD
                                                                                : STEP_PM_ASK);
        break;
    case STEP_PM_ASK:
        suspend_next(suspend, ran && result->status == 0 ? STEP_PM : STEP_KERNEL);
        break;
    case STEP_SYSTEMD:
    case STEP_PM:
        if (tool_succeeded(suspend, result))
            suspend_finish(suspend);
        else
            suspend_next(suspend, suspend->step + 1);
        break;
    case STEP_KERNEL: g_assert_not_reached();
    }
}

static void suspend_next(Suspend *suspend, SuspendStep step)
{
    const SuspendMode *mode = suspend->mode;
    const char *const commands[][4] = {
        [STEP_SYSTEMD_ASK] = {"systemctl", "status", mode->systemd_unit},
        [STEP_SYSTEMD] = {"systemctl", mode->systemd_verb},
        [STEP_PM_ASK] = {"pm-is-supported", mode->pm_option},
        [STEP_PM] = {mode->pm_tool},
    };
    const char *argv[4];

    if (step == STEP_KERNEL) {
        suspend_kernel(suspend);
        return;
    }
    memcpy(argv, commands[step], sizeof(argv));
    g_free(suspend->tool);
    suspend->tool = suspend->system->find_tool(suspend->system, argv[0]);
    if (suspend->tool == NULL) { /* without the tool that asks there is none that does */
        suspend_next(suspend, step < STEP_PM_ASK ? STEP_PM_ASK : STEP_KERNEL);
        return;
    }
    argv[0] = suspend->tool;
    suspend->step = step;
    helper_run(suspend->system, argv, on_suspend_step, suspend);
}

static gboolean suspend_begin(Commands *commands, const SuspendMode *mode, Call *call)
{
    Suspend *suspend = g_new(Suspend, 1);

    *suspend = (Suspend){.system = commands->system, .call = call, .mode = mode};
    call_defer(call);
    suspend_next(suspend, STEP_SYSTEMD_ASK);
    return TRUE;
}

gboolean guest_suspend_disk(Commands *commands, Call *call, GError **error)
{
    return suspend_begin(commands, &to_disk, call);
}

gboolean guest_suspend_ram(Commands *commands, Call *call, GError **error)
{
    return suspend_begin(commands, &to_ram, call);
}

gboolean guest_suspend_hybrid(Commands *commands, Call *call, GError **error)
{
    return suspend_begin(commands, &to_both, call);
}
