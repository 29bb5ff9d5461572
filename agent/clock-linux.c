/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/qmp-error.h"

/* The link that udev makes, what the kernel calls it, and where it was long ago. */
static const char *const rtc_paths[] = {"/dev/rtc", "/dev/rtc0", "/dev/misc/rtc"};

gboolean clock_set(System *system, gint64 seconds, gint64 microseconds, GError **error)
{
    struct timeval now = {.tv_sec = (time_t)seconds, .tv_usec = (suseconds_t)microseconds};

    if ((gint64)now.tv_sec != seconds) {
        qmp_error_set(error, "Time %" G_GINT64_FORMAT " is too large", seconds);
        return FALSE;
    }
    if (settimeofday(&now, NULL) != 0) {
        qmp_error_set(error, "Failed to set time to guest: %s", g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

gboolean clock_has_rtc(System *system)
{
    for (guint i = 0; i < G_N_ELEMENTS(rtc_paths); i++) {
        if (g_file_test(rtc_paths[i], G_FILE_TEST_EXISTS))
            return TRUE;
    }
    return FALSE;
}

static int open_rtc(GError **error)
{
    int fd = -1;

    errno = ENOENT;
    for (guint i = 0; i < G_N_ELEMENTS(rtc_paths) && fd < 0 && errno == ENOENT; i++)
        fd = open(rtc_paths[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        qmp_error_set(error, "cannot open the hardware clock: %s", g_strerror(errno));
    return fd;
}

static gboolean run_ioctl(gulong request, struct rtc_time *time, const char *what, GError **error)
{
    int fd = open_rtc(error);
    int result, number;

    if (fd < 0)
        return FALSE;
    result = ioctl(fd, request, time);
    number = errno;
    close(fd);
    if (result != 0)
        qmp_error_set(error, "cannot %s the hardware clock: %s", what, g_strerror(number));
    return result == 0;
}

gboolean clock_read_rtc(System *system, struct tm *ret_time, GError **error)
{
    struct rtc_time time = {0};

    if (!run_ioctl(RTC_RD_TIME, &time, "read", error))
        return FALSE;
    *ret_time = (struct tm){
        .tm_sec = time.tm_sec,
        .tm_min = time.tm_min,
        .tm_hour = time.tm_hour,
        .tm_mday = time.tm_mday,
        .tm_mon = time.tm_mon,
        .tm_year = time.tm_year,
        .tm_isdst = -1,
    };
    return TRUE;
}

gboolean clock_write_rtc(System *system, const struct tm *time, GError **error)
{
    struct rtc_time wanted = {
        .tm_sec = MIN(time->tm_sec, 59), /* it knows no leap second */
        .tm_min = time->tm_min,
        .tm_hour = time->tm_hour,
        .tm_mday = time->tm_mday,
        .tm_mon = time->tm_mon,
        .tm_year = time->tm_year,
    };

    return run_ioctl(RTC_SET_TIME, &wanted, "set", error);
}
