/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/system-log.h"

#include <errno.h>
#include <paths.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Commands run on several threads. */
static GMutex lock;         /* for what follows */
static int connection = -1; /* with syslogd; -1: none */

void system_log_open(void)
{
}

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

/* Where there is no syslogd it is not looked for more than once in a second.
 * Returns: whether there is a connection */
static gboolean is_connected(time_t now)
{
    static time_t missed; /* when there was none */

    if (connection < 0 && now != missed)
        connection = connect_syslog();
    missed = connection < 0 ? now : 0;
    return connection >= 0;
}

/* Returns: whether it is worth while to connect anew: another syslogd may have been started */
static gboolean send_account(const char *line)
{
    if (send(connection, line, strlen(line), MSG_NOSIGNAL) >= 0 || errno == EAGAIN)
        return FALSE;
    close(connection);
    connection = -1;
    return TRUE;
}

/*
 * Not by syslog(3), which waits for a syslogd that does not read: ten lines are all that the kernel
 * keeps for it, and one that hangs, maybe as its disk does, would make the agent deaf. A line that
 * finds no room is lost.
 */
void system_log_account(const char *command)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    time_t now = time(NULL);
    g_autofree char *line = NULL;
    char stamp[sizeof("Jan 01 00:00:00")] = "";
    struct tm local;

    if (!is_connected(now))
        return;
    if (localtime_r(&now, &local) != NULL)
        strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &local);
    line = g_strdup_printf("<%d>%s qga-agent[%d]: %s called", LOG_DAEMON | LOG_INFO, stamp,
                           (int)getpid(), command);
    if (send_account(line) && is_connected(now))
        send_account(line);
}
