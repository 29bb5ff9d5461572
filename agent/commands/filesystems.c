/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "filesystems.h"

#include <errno.h>
#include <string.h>

#include "common/qmp-error.h"
#include "stack.h"

/* Bounds FITHAW, which is repeated until it fails, against a kernel that never says so. */
enum { THAW_ATTEMPTS = 64 };

/* ---- Which ----------------------------------------------------------------------------------- */

static void filesystem_free(gpointer data)
{
    Filesystem *filesystem = data;

    filesystem->system->close_mount(filesystem->system, filesystem->fd);
    g_free(filesystem->directory);
    g_free(filesystem);
}

/* Returns: (transfer full): of SystemPlace */
static GArray *locate_all(System *system, char **paths)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(SystemPlace));

    for (guint i = 0; paths[i] != NULL; i++) {
        g_autofree char *path = g_canonicalize_filename(paths[i], "/");
        SystemPlace place;

        if (system->locate(system, path, &place))
            g_array_append_val(places, place);
    }
    return places;
}

static gboolean is_among(const Mount *mount, const GArray *places)
{
    for (guint i = 0; i < places->len; i++) {
        if (mount_holds(mount, &g_array_index(places, SystemPlace, i)))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_excluded(const Mount *mount, char **words)
{
    for (guint i = 0; words != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], mount->type) == 0 || strcmp(words[i], mount->source) == 0 ||
            mount_has_directory(mount, words[i]))
            return TRUE;
    }
    return FALSE;
}

/* Returns: (transfer container): of Mount */
static GPtrArray *choose(System *system, const GPtrArray *mounts, const FilesystemsWanted *wanted)
{
    GPtrArray *chosen = g_ptr_array_new();
    g_autoptr(GArray) places = NULL;

    if (wanted->paths != NULL)
        places = locate_all(system, wanted->paths);
    for (guint i = 0; i < mounts->len; i++) {
        Mount *mount = mounts->pdata[i];

        if ((places == NULL || is_among(mount, places)) && !is_excluded(mount, wanted->excluded))
            g_ptr_array_add(chosen, mount);
    }
    return chosen;
}

static Filesystem *filesystem_new(System *system, const Mount *mount, const char *directory, int fd)
{
    Filesystem *filesystem = g_new(Filesystem, 1);

    *filesystem = (Filesystem){
        .system = system,
        .number = mount->number,
        .directory = g_strdup(directory),
        .fd = fd,
    };
    return filesystem;
}

/* Returns: FALSE with @error. One that shows nowhere is passed over. */
static gboolean open_one(System *system, const Mount *mount, GPtrArray *filesystems,
                         const FilesystemsWanted *wanted, GPtrArray *skipped, GError **error)
{
    const char *directory = NULL;
    int fd = -1;
    SystemOpen outcome = mount_open(system, mount, &directory, &fd);
    int failure = errno;

    if (outcome == SYSTEM_OPEN_DONE)
        g_ptr_array_add(filesystems, filesystem_new(system, mount, directory, fd));
    if (outcome != SYSTEM_OPEN_FAILED)
        return TRUE;
    if (!wanted->skip_unopenable)
        qmp_error_set(error, "failed to open %s: %s", directory, g_strerror(failure));
    else if (skipped != NULL)
        g_ptr_array_add(skipped,
                        g_strdup_printf("%s is left out: %s", directory, g_strerror(failure)));
    return wanted->skip_unopenable;
}

static gint compare_depths(gconstpointer a, gconstpointer b)
{
    const Filesystem *one = *(const Filesystem *const *)a;
    const Filesystem *other = *(const Filesystem *const *)b;

    return (one->depth > other->depth) - (one->depth < other->depth);
}

static void sort(System *system, GPtrArray *filesystems, const GPtrArray *mounts)
{
    g_autoptr(GArray) depths = NULL;

    if (filesystems->len < 2)
        return;
    depths = stack_depths(system, mounts);
    for (guint i = 0, at = 0; i < mounts->len && at < filesystems->len; i++) {
        Filesystem *filesystem = filesystems->pdata[at];

        if (filesystem->number == ((const Mount *)mounts->pdata[i])->number) {
            filesystem->depth = g_array_index(depths, guint, i);
            at++;
        }
    }
    g_ptr_array_sort(filesystems, compare_depths);
}

GPtrArray *filesystems_open(System *system, const FilesystemsWanted *wanted, GPtrArray *skipped,
                            GError **error)
{
    g_autofree char *text = system->read_mounts(system, error);
    g_autoptr(GPtrArray) filesystems = g_ptr_array_new_with_free_func(filesystem_free);
    g_autoptr(GPtrArray) mounts = NULL;
    g_autoptr(GPtrArray) chosen = NULL;

    if (text == NULL)
        return NULL;
    mounts = mounts_parse(text);
    chosen = choose(system, mounts, wanted);
    for (guint i = 0; i < chosen->len; i++) {
        if (!open_one(system, chosen->pdata[i], filesystems, wanted, skipped, error))
            return NULL;
    }
    sort(system, filesystems, mounts);
    return g_steal_pointer(&filesystems);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

/* Returns: where those of the depth that filesystem @at has begin, as far as @end where they end */
static guint begin_of(const GPtrArray *filesystems, guint at)
{
    guint depth = ((const Filesystem *)filesystems->pdata[at])->depth;

    while (at > 0 && ((const Filesystem *)filesystems->pdata[at - 1])->depth == depth)
        at--;
    return at;
}

static guint end_of(const GPtrArray *filesystems, guint at)
{
    guint depth = ((const Filesystem *)filesystems->pdata[at])->depth;

    while (at < filesystems->len && ((const Filesystem *)filesystems->pdata[at])->depth == depth)
        at++;
    return at;
}

/* All of one depth side by side, and the deepest first. */
static void each_downwards(Crew *crew, GPtrArray *filesystems, GFunc run, gpointer user)
{
    for (guint end = filesystems->len, begin; end > 0; end = begin) {
        begin = begin_of(filesystems, end - 1);
        crew_each(crew, filesystems->pdata + begin, end - begin, run, user);
    }
}

static void each_upwards(Crew *crew, GPtrArray *filesystems, GFunc run, gpointer user)
{
    for (guint begin = 0, end; begin < filesystems->len; begin = end) {
        end = end_of(filesystems, begin);
        crew_each(crew, filesystems->pdata + begin, end - begin, run, user);
    }
}

/* ---- Sync and freeze ------------------------------------------------------------------------- */

static void sync_one(gpointer data, gpointer user)
{
    Filesystem *filesystem = data;

    filesystem->system->sync(filesystem->system, filesystem->fd);
}

void filesystems_sync(GPtrArray *filesystems, Crew *crew)
{
    each_downwards(crew, filesystems, sync_one, NULL);
}

typedef struct {
    const gint *cancelled;
    gint failed; /* atomic */
} Freeze;

static void freeze_one(gpointer data, gpointer user)
{
    Filesystem *filesystem = data;
    Freeze *freeze = user;

    if (g_atomic_int_get(freeze->cancelled) || g_atomic_int_get(&freeze->failed))
        return;
    switch (filesystem->system->freeze(filesystem->system, filesystem->fd)) {
    case SYSTEM_FREEZE_DONE: g_atomic_int_set(&filesystem->frozen, TRUE); break;
    case SYSTEM_FREEZE_BUSY: filesystem->foreign = TRUE; break;
    case SYSTEM_FREEZE_UNABLE: break;
    case SYSTEM_FREEZE_FAILED:
        filesystem->failure = errno;
        g_atomic_int_set(&freeze->failed, TRUE);
        break;
    }
}

guint filesystems_freeze(GPtrArray *filesystems, Crew *crew, const gint *cancelled, GError **error)
{
    Freeze freeze = {cancelled, FALSE};
    guint count = 0;

    each_downwards(crew, filesystems, freeze_one, &freeze);
    for (guint i = 0; i < filesystems->len; i++) {
        Filesystem *filesystem = filesystems->pdata[i];

        count += (guint)g_atomic_int_get(&filesystem->frozen);
        if (filesystem->failure != 0 && error != NULL && *error == NULL)
            qmp_error_set(error, "failed to freeze %s: %s", filesystem->directory,
                          g_strerror(filesystem->failure));
    }
    return count;
}

/* ---- Thaw ------------------------------------------------------------------------------------ */

static void relieve_one(gpointer data, gpointer user)
{
    Filesystem *filesystem = data;

    if (g_atomic_int_compare_and_exchange(&filesystem->frozen, TRUE, FALSE))
        filesystem->system->thaw(filesystem->system, filesystem->fd);
}

void filesystems_relieve(GPtrArray *filesystems, Crew *crew)
{
    each_upwards(crew, filesystems, relieve_one, NULL);
}

static void thaw_one(gpointer data, gpointer user)
{
    Filesystem *filesystem = data;
    System *system = filesystem->system;

    filesystem->was_thawed = FALSE;
    filesystem->failure = 0;
    if (filesystem->foreign)
        return;
    for (guint i = 0; i < THAW_ATTEMPTS && system->thaw(system, filesystem->fd); i++)
        filesystem->was_thawed = TRUE;
    if (!filesystem->was_thawed)
        filesystem->failure = errno;
}

static void blame(const Filesystem *filesystem, GError **error)
{
    if (filesystem->failure == EINVAL)
        qmp_error_set(error,
                      "somebody else has thawed %s before: what was copied since the freeze is not"
                      " consistent",
                      filesystem->directory);
    else
        qmp_error_set(error, "failed to thaw %s: %s", filesystem->directory,
                      g_strerror(filesystem->failure));
}

guint filesystems_thaw(GPtrArray *filesystems, Crew *crew, GError **error)
{
    guint count = 0;

    each_upwards(crew, filesystems, thaw_one, NULL);
    for (guint i = 0; i < filesystems->len; i++) {
        Filesystem *filesystem = filesystems->pdata[i];
        gboolean ours = g_atomic_int_compare_and_exchange(&filesystem->frozen, TRUE, FALSE);

        count += filesystem->was_thawed;
        if (ours && !filesystem->was_thawed && error != NULL && *error == NULL)
            blame(filesystem, error);
    }
    return count;
}

/* ---- Status ---------------------------------------------------------------------------------- */

static gboolean is_frozen(const Filesystem *filesystem)
{
    System *system = filesystem->system;

    if (system->freeze(system, filesystem->fd) != SYSTEM_FREEZE_DONE)
        return TRUE;
    system->thaw(system, filesystem->fd);
    return FALSE;
}

gboolean filesystems_are_frozen(GPtrArray *filesystems)
{
    gboolean foreign = FALSE; /* what lives on such a one cannot be tried */

    for (guint i = 0; i < filesystems->len; i++) {
        const Filesystem *filesystem = filesystems->pdata[i];

        if (g_atomic_int_get(&filesystem->frozen) && (foreign || is_frozen(filesystem)))
            return TRUE;
        foreign |= filesystem->foreign;
    }
    return FALSE;
}
