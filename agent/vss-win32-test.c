/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The conversation with the volume shadow copy service: its order, what it comes to where any step
 * fails, and that whatever was begun is given up.
 *
 * Wine has no such service. A stand-in notes what it is asked; the provider of the real one is a
 * thread here, which freezes and thaws by the same events.
 */

#include "agent/vss-win32.h"

#include <string.h>
#define COBJMACROS
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

#include "agent/fixture.h"

typedef enum {
    PROVIDER_HOLDS,    /* until it is told to thaw */
    PROVIDER_GIVES_UP, /* Windows' patience is at its end */
    PROVIDER_REFUSES,  /* the set of copies fails before anything is frozen */
} Provider;

static struct {
    gboolean missing;          /* there is no provider */
    const char *failing;       /* (nullable): the call that fails, at once */
    HRESULT failure;           /* how it does; 0: E_UNEXPECTED */
    const char *failing_later; /* (nullable): the one whose operation does */
    Provider provider;
    GString *log;
    wchar_t *volume; /* (nullable): the last one of the set */
    guint volumes;
    guint references;
    HANDLE thread; /* of the provider */
    HANDLE go;     /* set: the guest is to be thawed */
    guint frozen;  /* what frozen() was told; G_MAXUINT: it was not called */
} world;

static HRESULT result_of(const char *call)
{
    if (g_strcmp0(call, world.failing) != 0)
        return S_OK;
    return world.failure != S_OK ? world.failure : E_UNEXPECTED;
}

static HRESULT note(const char *call)
{
    g_string_append_printf(world.log, "%s%s", world.log->len > 0 ? " " : "", call);
    return result_of(call);
}

/* ---- Operations ------------------------------------------------------------------------------ */

typedef struct {
    IVssAsync base;
    HANDLE thread; /* (nullable): over when that is */
    HRESULT result;
} Operation;

static ULONG STDMETHODCALLTYPE operation_release(IVssAsync *base)
{
    g_free(base);
    world.references--;
    return 0;
}

static HRESULT STDMETHODCALLTYPE operation_wait(IVssAsync *base, DWORD milliseconds)
{
    const Operation *operation = (const Operation *)base;

    if (operation->thread != NULL)
        WaitForSingleObject(operation->thread, milliseconds);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE operation_query(IVssAsync *base, HRESULT *ret, INT *reserved)
{
    const Operation *operation = (const Operation *)base;
    gboolean over =
        operation->thread == NULL || WaitForSingleObject(operation->thread, 0) == WAIT_OBJECT_0;

    *ret = over ? operation->result : VSS_S_ASYNC_PENDING;
    return S_OK;
}

static IVssAsyncVtbl operation_calls = {
    .Release = operation_release,
    .Wait = operation_wait,
    .QueryStatus = operation_query,
};

static HRESULT begin(const char *call, HRESULT result, HANDLE thread, IVssAsync **ret)
{
    HRESULT code = note(call);
    Operation *operation;

    if (FAILED(code))
        return code;
    operation = g_new(Operation, 1);
    *operation = (Operation){
        .base = {&operation_calls},
        .thread = thread,
        .result = g_strcmp0(call, world.failing_later) == 0 ? E_ABORT : result,
    };
    world.references++;
    *ret = &operation->base;
    return S_OK;
}

/* ---- The service ----------------------------------------------------------------------------- */

static DWORD WINAPI provide(LPVOID unused)
{
    HANDLE frozen = OpenEventW(EVENT_ALL_ACCESS, FALSE, L"Global\\QGAVSSEvent-frozen");
    HANDLE thaw = OpenEventW(EVENT_ALL_ACCESS, FALSE, L"Global\\QGAVSSEvent-thaw");
    HANDLE timeout = OpenEventW(EVENT_ALL_ACCESS, FALSE, L"Global\\QGAVSSEvent-timeout");

    g_assert_true(frozen != NULL && thaw != NULL && timeout != NULL);
    if (world.provider != PROVIDER_REFUSES) {
        SetEvent(frozen);
        if (world.provider == PROVIDER_GIVES_UP)
            SetEvent(timeout);
        WaitForSingleObject(thaw, INFINITE);
    }
    CloseHandle(frozen);
    CloseHandle(thaw);
    CloseHandle(timeout);
    return 0;
}

#define CALL(name) static HRESULT STDMETHODCALLTYPE components_##name

CALL(initialize)(IVssBackupComponents *base, BSTR xml)
{
    return note("initialize");
}

CALL(set_state)
(IVssBackupComponents *base, boolean select, boolean bootable, VSS_BACKUP_TYPE type,
 boolean partial)
{
    g_assert_cmpint(type, ==, VSS_BT_COPY); /* no log of a database is cut for it */
    return note("state");
}

CALL(set_context)(IVssBackupComponents *base, LONG context)
{
    return note("context");
}

CALL(gather_metadata)(IVssBackupComponents *base, IVssAsync **ret)
{
    return begin("metadata", VSS_S_ASYNC_FINISHED, NULL, ret);
}

CALL(start_set)(IVssBackupComponents *base, VSS_ID *ret)
{
    return note("start");
}

CALL(is_supported)
(IVssBackupComponents *base, VSS_ID provider, VSS_PWSZ volume, WINBOOL *ret)
{
    *ret = g_strcmp0(world.failing, "supported") != 0;
    return result_of("ask");
}

CALL(add)(IVssBackupComponents *base, VSS_PWSZ volume, VSS_ID provider, VSS_ID *ret)
{
    HRESULT code = result_of("add");

    if (FAILED(code))
        return code;
    if (world.volume != NULL && wcscmp(world.volume, volume) == 0)
        return VSS_E_OBJECT_ALREADY_EXISTS;
    g_free(world.volume);
    world.volume = g_memdup2(volume, (wcslen(volume) + 1) * sizeof(*volume));
    world.volumes++;
    return S_OK;
}

CALL(prepare)(IVssBackupComponents *base, IVssAsync **ret)
{
    return begin("prepare", VSS_S_ASYNC_FINISHED, NULL, ret);
}

CALL(gather_status)(IVssBackupComponents *base, IVssAsync **ret)
{
    return begin("status", VSS_S_ASYNC_FINISHED, NULL, ret);
}

/* A provider that made no copy is told so of. */
CALL(do_set)(IVssBackupComponents *base, IVssAsync **ret)
{
    if (g_strcmp0(world.failing, "set") != 0)
        world.thread = CreateThread(NULL, 0, provide, NULL, 0, NULL);
    return begin("set", VSS_E_OBJECT_NOT_FOUND, world.thread, ret);
}

CALL(abort)(IVssBackupComponents *base)
{
    return note("abort");
}

static ULONG STDMETHODCALLTYPE components_release(IVssBackupComponents *base)
{
    note("release");
    world.references--;
    return 0;
}

static gboolean has_provider(void)
{
    return !world.missing;
}

static HRESULT create_components(IVssBackupComponents **ret)
{
    static IVssBackupComponentsVtbl calls = {
        .Release = components_release,
        .InitializeForBackup = components_initialize,
        .SetBackupState = components_set_state,
        .SetContext = components_set_context,
        .GatherWriterMetadata = components_gather_metadata,
        .StartSnapshotSet = components_start_set,
        .IsVolumeSupported = components_is_supported,
        .AddToSnapshotSet = components_add,
        .PrepareForBackup = components_prepare,
        .GatherWriterStatus = components_gather_status,
        .DoSnapshotSet = components_do_set,
        .AbortBackup = components_abort,
    };
    static IVssBackupComponents components = {&calls};

    if (g_strcmp0(world.failing, "create") == 0)
        return E_NOINTERFACE;
    world.references++;
    *ret = &components;
    return S_OK;
}

/* Wine does not know it of a volume that is named by its number. */
static UINT drive_type(const wchar_t *volume)
{
    return g_strcmp0(world.failing, "fixed") == 0 ? DRIVE_REMOVABLE : DRIVE_FIXED;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void on_frozen(gpointer user, guint count)
{
    world.frozen = count;
    if (world.provider == PROVIDER_HOLDS)
        SetEvent(world.go);
}

static void set_up(void)
{
    memset(&world, 0, sizeof(world));
    world.log = g_string_new(NULL);
    world.go = CreateEventW(NULL, TRUE, FALSE, NULL);
    world.frozen = G_MAXUINT;
}

/* All that was given out was given back, and nobody is left behind. */
static void tear_down(void)
{
    g_assert_cmpuint(world.references, ==, 0);
    if (world.thread != NULL) {
        g_assert_cmpint(WaitForSingleObject(world.thread, 0), ==, WAIT_OBJECT_0);
        CloseHandle(world.thread);
    }
    CloseHandle(world.go);
    g_free(world.volume);
    g_string_free(world.log, TRUE);
}

/* @words: (nullable): of the error; NULL: there is to be none
 * @log: what the service was asked */
static void check_hold(const char *const *volumes, const char *words, const char *log)
{
    static const VssService service = {has_provider, create_components, drive_type};
    g_autoptr(GError) error = NULL;
    gboolean ok = vss_hold_by(&service, volumes, world.go, on_frozen, NULL, &error);

    fixture_check_words(ok, error, words);
    g_assert_cmpstr(world.log->str, ==, log);
}

#define BEGUN    "initialize state context metadata start"
#define PREPARED BEGUN " prepare status"
#define GIVEN_UP " abort release"

static void test_hold(void)
{
    set_up();
    check_hold(NULL, NULL, PREPARED " set" GIVEN_UP);
    g_assert_cmpuint(world.volumes, >=, 1);
    g_assert_cmpuint(world.frozen, ==, world.volumes);
    tear_down();
}

/* Nothing is asked for, and the words say what is to be done. */
static void test_no_provider(void)
{
    set_up();
    world.missing = TRUE;
    check_hold(NULL, "qemu-ga's is not installed", "");
    g_assert_cmpuint(world.frozen, ==, G_MAXUINT);
    tear_down();
}

static void test_no_service(void)
{
    set_up();
    world.failing = "create";
    check_hold(NULL, "failed to talk to the volume shadow copy service", "");
    tear_down();
}

/* Windows ends it by itself, and whoever froze must learn that. */
static void test_given_up(void)
{
    set_up();
    world.provider = PROVIDER_GIVES_UP;
    check_hold(NULL, "couldn't hold writes: fsfreeze is limited up to 10 seconds",
               PREPARED " set" GIVEN_UP);
    g_assert_cmpuint(world.frozen, ==, world.volumes);
    tear_down();
}

/* Whatever fails, and whether at once or later: nobody is told of a freeze, and all is given up. */
static void test_steps(void)
{
    static const struct {
        const char *call;
        gboolean later;
        const char *words;
        const char *log;
    } steps[] = {
        {"initialize", FALSE, "failed to begin a backup", "initialize release"},
        {"state", FALSE, "failed to describe the backup", "initialize state" GIVEN_UP},
        {"context", FALSE, "failed to describe the backup", "initialize state context" GIVEN_UP},
        {"metadata", FALSE, "failed to ask the writers",
         "initialize state context metadata" GIVEN_UP},
        {"metadata", TRUE, "failed to ask the writers",
         "initialize state context metadata" GIVEN_UP},
        {"start", FALSE, "failed to begin a set of shadow copies", BEGUN GIVEN_UP},
        {"prepare", FALSE, "failed to prepare the writers", BEGUN " prepare" GIVEN_UP},
        {"prepare", TRUE, "failed to prepare the writers", BEGUN " prepare" GIVEN_UP},
        {"status", FALSE, "failed to ask how the writers fare", PREPARED GIVEN_UP},
        {"status", TRUE, "failed to ask how the writers fare", PREPARED GIVEN_UP},
        {"set", FALSE, "failed to freeze the volumes", PREPARED " set" GIVEN_UP},
    };

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        set_up();
        *(steps[i].later ? &world.failing_later : &world.failing) = steps[i].call;
        check_hold(NULL, steps[i].words, steps[i].log);
        g_assert_cmpuint(world.frozen, ==, G_MAXUINT);
        tear_down();
    }
}

/* The set of copies fails after it has begun: before anything is frozen, and at the thaw. */
static void test_set_fails(void)
{
    set_up();
    world.provider = PROVIDER_REFUSES;
    check_hold(NULL, "failed to freeze the volumes", PREPARED " set" GIVEN_UP);
    g_assert_cmpuint(world.frozen, ==, G_MAXUINT);
    tear_down();

    set_up();
    world.failing_later = "set";
    check_hold(NULL, "failed to thaw the volumes", PREPARED " set" GIVEN_UP);
    g_assert_cmpuint(world.frozen, ==, world.volumes);
    tear_down();
}

/* Volumes that have no copies, or are none, or were there already are left out; where none is left
 * there is no freeze. */
static void test_volumes(void)
{
    static const char *const named[] = {"C:\\", "C:", "no such folder", NULL};
    static const char *const strange[] = {"no such folder", "", "\xFF", NULL};
    static const struct {
        const char *call;
        HRESULT failure;
    } without[] = {
        {"fixed", S_OK},
        {"supported", S_OK},
        {"ask", VSS_E_VOLUME_NOT_SUPPORTED},
        {"add", VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER},
    };

    set_up();
    check_hold(named, NULL, PREPARED " set" GIVEN_UP);
    g_assert_cmpuint(world.frozen, ==, 1);
    tear_down();

    set_up();
    check_hold(strange, NULL, BEGUN GIVEN_UP);
    g_assert_cmpuint(world.frozen, ==, 0);
    tear_down();

    for (guint i = 0; i < G_N_ELEMENTS(without); i++) {
        set_up();
        world.failing = without[i].call;
        world.failure = without[i].failure;
        check_hold(NULL, NULL, BEGUN GIVEN_UP);
        g_assert_cmpuint(world.frozen, ==, 0);
        tear_down();
    }
}

/* One that has copies and cannot be added is not left out, whether all are frozen or it is named.
 */
static void test_volume_fails(void)
{
    static const char *const named[] = {"C:\\", NULL};
    static const struct {
        const char *call;
        HRESULT failure;
    } failing[] = {
        {"ask", VSS_E_UNEXPECTED_PROVIDER_ERROR},
        {"add", VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED},
        {"add", VSS_E_PROVIDER_VETO},
    };

    for (guint i = 0; i < 2 * G_N_ELEMENTS(failing); i++) {
        set_up();
        world.failing = failing[i / 2].call;
        world.failure = failing[i / 2].failure;
        check_hold(i % 2 == 0 ? NULL : named, "failed to add C:\\ to the set of shadow copies",
                   BEGUN GIVEN_UP);
        g_assert_cmpuint(world.frozen, ==, G_MAXUINT);
        tear_down();
    }
}

/* Wine's own world, which has no provider. */
static void test_real(void)
{
    g_autoptr(GError) error = NULL;

    set_up();
    g_assert_false(vss_hold(NULL, world.go, on_frozen, NULL, &error));
    g_assert_nonnull(strstr(error->message, "fsfreeze is not possible"));
    tear_down();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vss/hold", test_hold);
    g_test_add_func("/vss/no-provider", test_no_provider);
    g_test_add_func("/vss/no-service", test_no_service);
    g_test_add_func("/vss/given-up", test_given_up);
    g_test_add_func("/vss/steps", test_steps);
    g_test_add_func("/vss/set-fails", test_set_fails);
    g_test_add_func("/vss/volumes", test_volumes);
    g_test_add_func("/vss/volume-fails", test_volume_fails);
    g_test_add_func("/vss/real", test_real);
    return g_test_run();
}
