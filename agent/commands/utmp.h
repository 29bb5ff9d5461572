/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * utmp: a record of the file in which it is noted who is logged in, as glibc has it, and so all
 * programs of nearly every guest. The agent may be built for another C library: musl has a record
 * of another size, and notes nothing.
 */

#pragma once

#include <glib.h>

/* Where a machine's programs of 32 bits read the same file, those of 64 bits make do with their
 * numbers; where there never were any, numbers have 64 bits. */
#if GLIB_SIZEOF_LONG == 4 || defined __x86_64__ || defined __powerpc64__ || defined __s390x__ || \
    defined __mips64 || defined __sparc__
typedef guint32 UtmpNumber;
#else
typedef guint64 UtmpNumber;
#endif

enum { UTMP_USER_PROCESS = 7 }; /* a login, of all kinds of records */

typedef struct {
    gint16 type;
    gint32 process;
    char line[32];
    char id[4];
    char user[32]; /* not ended where it is full */
    char host[256];
    gint16 end[2];
    UtmpNumber session;
    UtmpNumber seconds; /* those of 32 bits, taken without a sign, last until 2106 */
    UtmpNumber microseconds;
    gint32 address[4];
    char reserved[20];
} UtmpRecord;
