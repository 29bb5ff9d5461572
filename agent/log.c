/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/log.h"

#include <errno.h>
#include <paths.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/qmp-error.h"

/* A process has one log, as it has one standard error; GLib hands its writer out of any function.
 */
static struct {
    FILE *file;
    gboolean verbose;
    gboolean frozen;
    int syslog; /* -1: not connected */
} sink = {.syslog = -1};

static const char *level_name(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR)
        return "error";
    if (level & G_LOG_LEVEL_CRITICAL)
        return "critical";
    if (level & G_LOG_LEVEL_WARNING)
        return "warning";
    return level & G_LOG_LEVEL_DEBUG ? "debug" : "info";
}

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                   gpointer user_data)
{
    const char *message = "";
    gint64 now = g_get_real_time();

    if (sink.frozen || (!sink.verbose && level > G_LOG_LEVEL_WARNING))
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE"))
            message = fields[i].value;
    }
    fprintf(sink.file != NULL ? sink.file : stderr, "%" G_GINT64_FORMAT ".%06d: %s: %s\n",
            now / G_USEC_PER_SEC, (int)(now % G_USEC_PER_SEC), level_name(level), message);
    fflush(sink.file);
    return G_LOG_WRITER_HANDLED;
}

void log_init(gboolean verbose)
{
    sink.verbose = verbose;
    g_log_set_writer_func(write_line, NULL, NULL);
}

gboolean log_open(const char *path, GError **error)
{
    FILE *file = fopen(path, "ae");

    if (file == NULL) {
        qmp_error_set(error, "unable to open specified log file: %s: %s", path, g_strerror(errno));
        return FALSE;
    }
    if (sink.file != NULL)
        fclose(sink.file);
    sink.file = file;
    return TRUE;
}

void log_set_frozen(gboolean frozen)
{
    sink.frozen = frozen;
}

/* ---- What was called ------------------------------------------------------------------------- */

static int connect_syslog(void)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Returns: whether it is worth while to connect anew: another syslogd may have been started */
static gboolean send_account(const char *line)
{
    if (sink.syslog < 0)
        sink.syslog = connect_syslog();
    if (sink.syslog < 0 || send(sink.syslog, line, strlen(line), MSG_NOSIGNAL) >= 0 ||
        errno == EAGAIN)
        return FALSE;
    close(sink.syslog);
    sink.syslog = -1;
    return TRUE;
}

/*
 * Not by syslog(3), which waits for a syslogd that does not read: ten lines are all that the kernel
 * keeps for it, and one that hangs, maybe as its disk does, would make the agent deaf. A line that
 * finds no room is lost.
 */
void log_account(const char *command)
{
    time_t now = time(NULL);
    g_autofree char *line = NULL;
    char stamp[sizeof("Jan 01 00:00:00")] = "";
    struct tm local;

    if (sink.frozen)
        return;
    if (localtime_r(&now, &local) != NULL)
        strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &local);
    line = g_strdup_printf("<%d>%s qga-agent[%d]: %s called", LOG_DAEMON | LOG_INFO, stamp,
                           (int)getpid(), command);
    if (send_account(line))
        send_account(line);
}
