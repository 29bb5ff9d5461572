/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * cpu-memory: guest-get-vcpus, -set-vcpus, guest-get-memory-blocks, -set-memory-blocks,
 * -get-memory-block-info.
 */

#include <errno.h>
#include <string.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "sysfs.h"

#define CPU_FOLDER    "/sys/devices/system/cpu"
#define MEMORY_FOLDER "/sys/devices/system/memory"

/* The entry that both kinds of parts have in common. */
static void write_part(JsonWrite *write, const char *name, guint64 number, gboolean online,
                       gboolean can_offline)
{
    json_write_begin_object(write);
    json_write_member_uint64(write, name, number);
    json_write_member_boolean(write, "online", online);
    json_write_member_boolean(write, "can-offline", can_offline);
    json_write_end_object(write);
}

/* ---- Processors ------------------------------------------------------------------------------ */

/* One without the file is in use and stays so. */
static gboolean read_cpu(const System *system, const char *path, gboolean *ret_can_offline)
{
    g_autofree char *online = sysfs_read(system, path, "online");

    *ret_can_offline = online != NULL;
    return online == NULL || strcmp(online, "0") != 0;
}

gboolean guest_get_vcpus(Commands *commands, Call *call, GError **error)
{
    const System *system = commands->system;
    JsonWrite *write = call_result(call);
    g_autoptr(GPtrArray) names = sysfs_list(system, CPU_FOLDER, "cpu");

    if (names == NULL) {
        qmp_error_set(error, "open(\"" CPU_FOLDER "/\"): %s", g_strerror(errno));
        return FALSE;
    }
    json_write_begin_array(write);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(CPU_FOLDER, names->pdata[i], NULL);
        gboolean online, can_offline;
        guint64 number;

        if (!sysfs_number(names->pdata[i], "cpu", &number))
            continue;
        online = read_cpu(system, path, &can_offline);
        write_part(write, "logical-id", number, online, can_offline);
    }
    json_write_end_array(write);
    return TRUE;
}

static gboolean set_cpu(const System *system, const GuestLogicalProcessor *cpu, GError **error)
{
    g_autofree char *path = g_strdup_printf(CPU_FOLDER "/cpu%" G_GINT64_FORMAT, cpu->logical_id);
    gboolean can_offline, online;

    if (!sysfs_exists(system, path)) {
        qmp_error_set(error, "open(\"%s/\"): %s", path, g_strerror(errno));
        return FALSE;
    }
    online = read_cpu(system, path, &can_offline);
    if (online == cpu->online)
        return TRUE;
    if (!can_offline) {
        qmp_error_set(error, "logical processor #%" G_GINT64_FORMAT " can't be offlined",
                      cpu->logical_id);
        return FALSE;
    }
    if (!sysfs_write(system, path, "online", cpu->online ? "1" : "0")) {
        qmp_error_set(error, "write(\"%s/online\"): %s", path, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

/* What was done before a failure counts; the failure itself is told to whoever asks for the rest.
 */
gboolean guest_set_vcpus(Commands *commands, const GuestSetVcpusArguments *args, Call *call,
                         GError **error)
{
    g_autoptr(GError) failure = NULL;
    guint done = 0;

    while (done < args->vcpus->len &&
           set_cpu(commands->system, &g_array_index(args->vcpus, GuestLogicalProcessor, done),
                   &failure))
        done++;
    if (failure != NULL && done == 0) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    json_write_int64(call_result(call), done);
    return TRUE;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static gboolean write_block(const System *system, JsonWrite *write, const char *name)
{
    g_autofree char *path = g_build_filename(MEMORY_FOLDER, name, NULL);
    g_autofree char *state = sysfs_read(system, path, "state");
    g_autofree char *removable = sysfs_read(system, path, "removable");
    guint64 number;

    if (!sysfs_number(name, "memory", &number) || state == NULL)
        return FALSE;
    write_part(write, "phys-index", number, strcmp(state, "online") == 0,
               removable != NULL && strcmp(removable, "0") != 0);
    return TRUE;
}

gboolean guest_get_memory_blocks(Commands *commands, Call *call, GError **error)
{
    const System *system = commands->system;
    JsonWrite *write = call_result(call);
    g_autoptr(GPtrArray) names = sysfs_list(system, MEMORY_FOLDER, "memory");
    guint count = 0;

    /* A kernel that does not part its memory has no such folder. */
    if (names == NULL && errno != ENOENT) {
        qmp_error_set(error, "Can't open directory \"" MEMORY_FOLDER "/\": %s", g_strerror(errno));
        return FALSE;
    }
    json_write_begin_array(write);
    for (guint i = 0; names != NULL && i < names->len; i++)
        count += write_block(system, write, names->pdata[i]);
    json_write_end_array(write);
    if (names != NULL && count == 0) {
        qmp_error_set(error, "guest reported zero memory blocks!");
        return FALSE;
    }
    return TRUE;
}

/* Returns: the word of GuestMemoryBlockResponseType; *ret_errno is 0 where there is none. */
static const char *set_block(const System *system, const GuestMemoryBlock *block, int *ret_errno)
{
    g_autofree char *path =
        g_strdup_printf(MEMORY_FOLDER "/memory%" G_GUINT64_FORMAT, block->phys_index);
    g_autofree char *state = sysfs_read(system, path, "state");

    *ret_errno = errno;
    if (state == NULL)
        return *ret_errno == ENOENT ? "not-found" : "operation-failed";
    *ret_errno = 0;
    if ((strcmp(state, "online") == 0) == block->online)
        return "success";
    /* `removable` was a guess before Linux 5.7; whether it can be the kernel tells. */
    if (sysfs_write(system, path, "state", block->online ? "online" : "offline"))
        return "success";
    *ret_errno = errno;
    return "operation-failed";
}

gboolean guest_set_memory_blocks(Commands *commands, const GuestSetMemoryBlocksArguments *args,
                                 Call *call, GError **error)
{
    JsonWrite *write = call_result(call);

    json_write_begin_array(write);
    for (guint i = 0; i < args->mem_blks->len; i++) {
        const GuestMemoryBlock *block = &g_array_index(args->mem_blks, GuestMemoryBlock, i);
        int failure;
        const char *response = set_block(commands->system, block, &failure);

        json_write_begin_object(write);
        json_write_member_uint64(write, "phys-index", block->phys_index);
        json_write_member_string(write, "response", response);
        if (failure != 0)
            json_write_member_int64(write, "error-code", failure);
        json_write_end_object(write);
    }
    json_write_end_array(write);
    return TRUE;
}

gboolean guest_get_memory_block_info(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    g_autofree char *size = NULL;
    guint64 bytes;

    size = sysfs_read(commands->system, MEMORY_FOLDER, "block_size_bytes");
    if (size == NULL) {
        qmp_error_set(error, "open sysfs file \"block_size_bytes\": %s", g_strerror(errno));
        return FALSE;
    }
    if (!g_ascii_string_to_unsigned(size, 16, 0, G_MAXUINT64, &bytes, NULL)) {
        qmp_error_set(error, "the size of memory blocks is no number");
        return FALSE;
    }
    json_write_begin_object(write);
    json_write_member_uint64(write, "size", bytes);
    json_write_end_object(write);
    return TRUE;
}
