/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fixture: what command tests stand on: dispatch with every handler, a state directory of its own,
 * and a system that only writes down what it is asked to do.
 */

#pragma once

#include "agent/commands/freeze.h"
#include "agent/dispatch.h"

typedef struct {
    System system;
    Commands commands;
    Policy policy;
    State state;
    Dispatch dispatch;
    char *directory; /* made for this test, and removed with all that is in it */
    GString *replies;

    /* What the system says when it is asked. */
    const char *mounts;     /* mountinfo; NULL: cannot be read */
    const char *refusing;   /* (nullable): a directory whose freeze fails */
    const char *skipping;   /* (nullable): one that cannot be frozen */
    const char *hidden;     /* (nullable): one where another filesystem stands now */
    const char *unopenable; /* (nullable): one that cannot be opened */
    const char *stuck;      /* (nullable): one whose freeze takes until another is thawed */
    guint together;         /* so many are being frozen at once before one of them is */
    const char *tools;      /* names of those that there are, with a blank behind each */
    gboolean tells_syncs;   /* they are logged */
    int status;             /* of every program */
    gboolean overdue;       /* they were killed */
    const char *output;
    const char
        *failing; /* (nullable): the one program, by its name, that ends with status 1 instead */
    const GError *program_error; /* (nullable): why those that fail never came to their end */
    gboolean hold;               /* programs run until fixture_end_program() */
    GError *clock_error;         /* (nullable): why it cannot be set */
    struct tm *rtc;          /* (nullable): what the hardware clock tells; NULL: there is none */
    const char *untrimmable; /* (nullable): a directory whose trim fails */
    gboolean hold_parts;     /* of replies: the test takes them */
    guint parts;             /* how often it was told that there are some */
    GMutex *gate;            /* (nullable): reading the mounts waits for it */
    const char *user;        /* (nullable): the one user that there is; its home is directory */
    const guint8 *smart;     /* (nullable): of every NVMe disk */
    const char *power_state;
    const char *power_disk;

    /*< private >*/
    GHashTable *frozen; /* directories */
    GPtrArray *opened;  /* (nullable) char *: directories, by descriptor; NULL: closed again */
    GString *log;
    GArray *held; /* of the programs that run */
    guint freezing;
    GMutex lock; /* of these two */
    GCond changed;
} CommandFixture;

/* What guest-set-time without a time runs, on whatever system: a command that fixture_end_program()
 * ends. */
#define FIXTURE_CLOCK_TOOLS "hwclock w32tm "

/* What the freeze of all that there is comes to on this system. */
typedef struct {
    const char *mounts; /* to be the fixture's */
    const char *frozen; /* what is returned */
    const char *freeze_log;
    const char *thaw_log;
    const char *expired; /* what a thaw is told that comes too late */
} FixtureFreeze;

extern const FixtureFreeze fixture_freeze;

/* @hook: (nullable) */
void fixture_init(CommandFixture *fixture, const char *hook);
void fixture_clear(CommandFixture *fixture);

/* Writes @text to @path below the directory, which is the root of /sys, /proc, /etc and
 * /run; folders on the way are made. */
void fixture_write(CommandFixture *fixture, const char *path, const char *text);
void fixture_write_bytes(CommandFixture *fixture, const char *path, const char *data, gsize len);

/* In place of the freezer that there is. */
void fixture_set_freezer(CommandFixture *fixture, const FreezerOptions *options);

/**
 * fixture_ask:
 *
 * Returns: (transfer full): all that was answered, up to the end of the call; or until a program is
 *   held
 */
char *fixture_ask(CommandFixture *fixture, const char *request);

/* Asserts that @request is answered by @reply and a line end. */
void fixture_check(CommandFixture *fixture, const char *request, const char *reply);
void fixture_check_error(CommandFixture *fixture, const char *request, const char *desc);

/* Of any call: whether it failed with an error that has these @words (nullable); NULL: it did not.
 */
void fixture_check_words(gboolean ok, const GError *error, const char *words);

/**
 * fixture_check_cut:
 *
 * Asserts that @request is answered, by one object and a line end, when the file at @path is cut
 * anywhere in @text, and when any one byte of it is another.
 */
void fixture_check_cut(CommandFixture *fixture, const char *request, const char *path,
                       const char *text, gsize len);

/**
 * fixture_take_log:
 * Returns: (transfer full): what the system was asked to do since the last time, comma separated
 */
char *fixture_take_log(CommandFixture *fixture);
void fixture_check_log(CommandFixture *fixture, const char *expected);

/* Makes @path a link to @target, which begins with a slash too: there it is below the directory. */
void fixture_link(CommandFixture *fixture, const char *path, const char *target);
char *fixture_read(CommandFixture *fixture, const char *path);

/* Runs the main loop until so many programs are held. */
void fixture_wait_programs(CommandFixture *fixture, guint count);

/* The one that was started last; waits for one. */
void fixture_end_program(CommandFixture *fixture, int status, const char *output);

/* Runs the main loop until *@flag. */
void fixture_run_until(const gboolean *flag);
