/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. A requester asks for a set of shadow copies: writers, as databases are, come
 * to rest, volumes are flushed and held, and then the provider is to commit its copies, for which
 * it has 10 s. The provider signals that everything is frozen, and does not return from there until
 * it is told to thaw; what it has made is thrown away.
 */

#include "agent/vss-win32.h"

#define COBJMACROS
#include <initguid.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

#include "agent/registry-win32.h"
#include "agent/win32-error.h"
#include "common/qmp-error.h"

#define PROVIDERS L"SYSTEM\\CurrentControlSet\\Services\\VSS\\Providers\\"

/* qemu-ga's provider, and the events by which it is talked to. */
#define PROVIDER L"{3629D4ED-EE09-4E0E-9A5C-6D8BA2872AEF}"
static const VSS_ID provider_id = {
    0x3629d4ed, 0xee09, 0x4e0e, {0x9a, 0x5c, 0x6d, 0x8b, 0xa2, 0x87, 0x2a, 0xef}};
static const wchar_t frozen_event[] = L"Global\\QGAVSSEvent-frozen";
static const wchar_t thaw_event[] = L"Global\\QGAVSSEvent-thaw";
static const wchar_t timeout_event[] = L"Global\\QGAVSSEvent-timeout";

/* Writers have 60 s to come to rest. */
enum { FREEZE_MS = 60000, LOOK_MS = 100 };

typedef HRESULT(STDAPICALLTYPE *CreateComponents)(IVssBackupComponents **ret);

typedef struct {
    const VssService *service;
    IVssBackupComponents *components;
    HANDLE frozen, thaw, timeout;
    guint volumes;
    gboolean initialized; /* what has begun is to be given up */
} Hold;

static gboolean fail(GError **error, HRESULT code, const char *what)
{
    return win32_error_set(error, (DWORD)code, "failed to %s", what);
}

/* ---- Preparing ------------------------------------------------------------------------------- */

static gboolean has_provider(void)
{
    g_autofree char *name = registry_read_string(HKEY_LOCAL_MACHINE, PROVIDERS PROVIDER, NULL);

    return name != NULL;
}

/* Not every Windows has this library, and not every one of those this function. */
static HRESULT create_components(IVssBackupComponents **ret)
{
    HMODULE library = LoadLibraryW(L"vssapi.dll");
    CreateComponents create = library != NULL ? (CreateComponents)(gpointer)GetProcAddress(
                                                    library, "CreateVssBackupComponentsInternal")
                                              : NULL;

    return create != NULL ? create(ret) : HRESULT_FROM_WIN32(GetLastError());
}

/* For everybody who is logged in, and for the provider, which is in a process of its own. */
static HANDLE open_event(const wchar_t *name)
{
    SECURITY_DESCRIPTOR nobody_excluded;
    SECURITY_ATTRIBUTES attributes = {sizeof(attributes), &nobody_excluded, FALSE};

    InitializeSecurityDescriptor(&nobody_excluded, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&nobody_excluded, TRUE, NULL, FALSE);
    return CreateEventW(&attributes, TRUE, FALSE, name);
}

static gboolean open_events(Hold *hold, GError **error)
{
    hold->frozen = open_event(frozen_event);
    hold->thaw = open_event(thaw_event);
    hold->timeout = open_event(timeout_event);
    if (hold->frozen == NULL || hold->thaw == NULL || hold->timeout == NULL)
        return win32_error_set(error, GetLastError(), "failed to create an event");
    ResetEvent(hold->frozen);
    ResetEvent(hold->thaw);
    ResetEvent(hold->timeout);
    return TRUE;
}

/* Waits for the end of what was begun. */
static HRESULT conclude(HRESULT begun, IVssAsync *operation)
{
    HRESULT code = begun, result = S_OK;

    if (FAILED(code))
        return code;
    code = IVssAsync_Wait(operation, INFINITE);
    if (SUCCEEDED(code))
        code = IVssAsync_QueryStatus(operation, &result, NULL);
    IVssAsync_Release(operation);
    return SUCCEEDED(code) && result != VSS_S_ASYNC_FINISHED ? result : code;
}

static gboolean initialize(Hold *hold, GError **error)
{
    IVssBackupComponents *components = hold->components;
    IVssAsync *operation = NULL;
    HRESULT code = IVssBackupComponents_InitializeForBackup(components, NULL);
    VSS_ID set;

    if (FAILED(code))
        return fail(error, code, "begin a backup");
    hold->initialized = TRUE;
    code = IVssBackupComponents_SetBackupState(components, FALSE, FALSE, VSS_BT_COPY, FALSE);
    if (SUCCEEDED(code))
        code = IVssBackupComponents_SetContext(components,
                                               VSS_CTX_BACKUP | VSS_VOLSNAP_ATTR_NO_AUTORECOVERY);
    if (FAILED(code))
        return fail(error, code, "describe the backup");
    code = IVssBackupComponents_GatherWriterMetadata(components, &operation);
    code = conclude(code, operation);
    if (FAILED(code))
        return fail(error, code, "ask the writers");
    code = IVssBackupComponents_StartSnapshotSet(components, &set);
    return SUCCEEDED(code) || fail(error, code, "begin a set of shadow copies");
}

/* ---- Volumes --------------------------------------------------------------------------------- */

/* Says which one by where people know it, if they do. */
static gboolean fail_volume(GError **error, HRESULT code, const wchar_t *volume)
{
    wchar_t places[MAX_PATH];
    DWORD len;
    gboolean has_place =
        GetVolumePathNamesForVolumeNameW(volume, places, G_N_ELEMENTS(places), &len) &&
        places[0] != 0;
    g_autofree char *name = g_utf16_to_utf8(has_place ? places : volume, -1, NULL, NULL, NULL);

    return win32_error_set(error, (DWORD)code, "failed to add %s to the set of shadow copies",
                           name != NULL ? name : "a volume");
}

/* It has no copies, or is in the set, since it was named twice. */
static gboolean needs_no_adding(HRESULT code)
{
    return code == (HRESULT)VSS_E_VOLUME_NOT_SUPPORTED ||
           code == (HRESULT)VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER ||
           code == (HRESULT)VSS_E_OBJECT_ALREADY_EXISTS;
}

/* One that has no shadow copies, as those of removable disks and of some filesystems, is left out.
 * One that has, and cannot be added, is not: whoever asked would take its backup for consistent. */
static gboolean add_volume(Hold *hold, wchar_t *volume, GError **error)
{
    IVssBackupComponents *components = hold->components;
    BOOL supported = FALSE;
    HRESULT code;
    VSS_ID copy;

    if (hold->service->drive_type(volume) != DRIVE_FIXED)
        return TRUE;
    code = IVssBackupComponents_IsVolumeSupported(components, provider_id, volume, &supported);
    if (SUCCEEDED(code) && supported) {
        code = IVssBackupComponents_AddToSnapshotSet(components, volume, provider_id, &copy);
        if (SUCCEEDED(code))
            hold->volumes++;
    }
    return SUCCEEDED(code) || needs_no_adding(code) || fail_volume(error, code, volume);
}

static gboolean add_all(Hold *hold, GError **error)
{
    wchar_t volume[MAX_PATH];
    HANDLE search = FindFirstVolumeW(volume, G_N_ELEMENTS(volume));
    gboolean ok;

    if (search == INVALID_HANDLE_VALUE)
        return win32_error_set(error, GetLastError(), "failed to list the volumes");
    do
        ok = add_volume(hold, volume, error);
    while (ok && FindNextVolumeW(search, volume, G_N_ELEMENTS(volume)));
    FindVolumeClose(search);
    return ok;
}

/* Names that are no volume are ignored, as on Linux. */
static gboolean add_named(Hold *hold, const char *folder, GError **error)
{
    g_autofree char *path = g_strconcat(folder, g_str_has_suffix(folder, "\\") ? "" : "\\", NULL);
    g_autofree wchar_t *wide = g_utf8_to_utf16(path, -1, NULL, NULL, NULL);
    wchar_t volume[MAX_PATH];

    return wide == NULL || !GetVolumeNameForVolumeMountPointW(wide, volume, G_N_ELEMENTS(volume)) ||
           add_volume(hold, volume, error);
}

static gboolean add_volumes(Hold *hold, const char *const *volumes, GError **error)
{
    if (volumes == NULL)
        return add_all(hold, error);
    for (guint i = 0; volumes[i] != NULL; i++) {
        if (!add_named(hold, volumes[i], error))
            return FALSE;
    }
    return TRUE;
}

/* ---- Freezing -------------------------------------------------------------------------------- */

static gboolean prepare(Hold *hold, GError **error)
{
    IVssAsync *operation = NULL;
    HRESULT code = IVssBackupComponents_PrepareForBackup(hold->components, &operation);

    code = conclude(code, operation);
    if (FAILED(code))
        return fail(error, code, "prepare the writers");
    code = IVssBackupComponents_GatherWriterStatus(hold->components, &operation);
    code = conclude(code, operation);
    return SUCCEEDED(code) || fail(error, code, "ask how the writers fare");
}

static gboolean has_ended(IVssAsync *operation, HRESULT *ret_result)
{
    HRESULT code = IVssAsync_QueryStatus(operation, ret_result, NULL);

    if (FAILED(code))
        *ret_result = code;
    return FAILED(code) || *ret_result != VSS_S_ASYNC_PENDING;
}

static gboolean await_frozen(Hold *hold, IVssAsync *operation, GError **error)
{
    HRESULT result = VSS_S_ASYNC_PENDING;

    for (guint waited = 0; waited < FREEZE_MS; waited += LOOK_MS) {
        if (WaitForSingleObject(hold->frozen, LOOK_MS) == WAIT_OBJECT_0)
            return TRUE;
        if (has_ended(operation, &result))
            break;
    }
    return fail(error, result, "freeze the volumes");
}

/* Until it is to end, or Windows itself has ended it. */
static gboolean await_thaw(Hold *hold, HANDLE thaw, GError **error)
{
    HANDLE handles[] = {thaw, hold->timeout};

    if (WaitForMultipleObjects(G_N_ELEMENTS(handles), handles, FALSE, INFINITE) == WAIT_OBJECT_0)
        return TRUE;
    qmp_error_set(error, "couldn't hold writes: fsfreeze is limited up to 10 seconds");
    return FALSE;
}

static gboolean freeze_and_hold(Hold *hold, HANDLE thaw, void (*frozen)(gpointer user, guint count),
                                gpointer user, GError **error)
{
    IVssAsync *operation = NULL;
    HRESULT code = IVssBackupComponents_DoSnapshotSet(hold->components, &operation);
    gboolean ok;

    if (FAILED(code))
        return fail(error, code, "freeze the volumes");
    ok = await_frozen(hold, operation, error);
    if (ok) {
        frozen(user, hold->volumes);
        ok = await_thaw(hold, thaw, error);
    }
    SetEvent(hold->thaw);
    code = conclude(S_OK, operation);
    /* A provider that made nothing says so, after it has been told to thaw. */
    if (ok && FAILED(code) && code != (HRESULT)VSS_E_OBJECT_NOT_FOUND)
        ok = fail(error, code, "thaw the volumes");
    return ok;
}

static gboolean run(Hold *hold, const char *const *volumes, HANDLE thaw,
                    void (*frozen)(gpointer user, guint count), gpointer user, GError **error)
{
    if (!open_events(hold, error) || !initialize(hold, error) || !add_volumes(hold, volumes, error))
        return FALSE;
    if (hold->volumes == 0) {
        frozen(user, 0);
        return TRUE;
    }
    return prepare(hold, error) && freeze_and_hold(hold, thaw, frozen, user, error);
}

static void hold_clear(Hold *hold)
{
    const HANDLE events[] = {hold->frozen, hold->thaw, hold->timeout};

    if (hold->components != NULL) {
        if (hold->initialized)
            IVssBackupComponents_AbortBackup(hold->components);
        IVssBackupComponents_Release(hold->components);
    }
    for (guint i = 0; i < G_N_ELEMENTS(events); i++) {
        if (events[i] != NULL)
            CloseHandle(events[i]);
    }
}

gboolean vss_hold_by(const VssService *service, const char *const *volumes, HANDLE thaw,
                     void (*frozen)(gpointer user, guint count), gpointer user, GError **error)
{
    Hold hold = {.service = service};
    HRESULT code;
    gboolean ok;

    if (!service->has_provider()) {
        qmp_error_set(error, "fsfreeze is not possible: there is no provider of shadow copies that "
                             "would hold it; qemu-ga's is not installed");
        return FALSE;
    }
    code = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (FAILED(code))
        return fail(error, code, "initialize COM");
    /* The service and the provider call back. Once for the process: a second time says so, which is
     * no failure. */
    CoInitializeSecurity(NULL, -1, NULL, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
                         RPC_C_IMP_LEVEL_IDENTIFY, NULL, EOAC_NONE, NULL);
    code = service->create_components(&hold.components);
    ok = SUCCEEDED(code) ? run(&hold, volumes, thaw, frozen, user, error)
                         : fail(error, code, "talk to the volume shadow copy service");
    hold_clear(&hold);
    CoUninitialize();
    return ok;
}

static UINT drive_type(const wchar_t *volume)
{
    return GetDriveTypeW(volume);
}

gboolean vss_hold(const char *const *volumes, HANDLE thaw,
                  void (*frozen)(gpointer user, guint count), gpointer user, GError **error)
{
    static const VssService windows = {has_provider, create_components, drive_type};

    return vss_hold_by(&windows, volumes, thaw, frozen, user, error);
}
