/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-script PATH PROTOCOL TIMES STEP...: one client that asks one thing after the other.
 *
 * A STEP is "HOW REQUEST", HOW being words joined by commas:
 *
 *   do          in each round; what these steps take together is what is measured
 *   aside       in each round, and not measured
 *   once        before all
 *   pause=MS    not before that long after the step before
 *   until=TEXT  asked again until TEXT is in the reply
 *   keep        the first number in the reply stands for every $ in later requests
 *
 * In a REQUEST each # stands for the number of the round, and @N@ for N bytes as Base64. A reply
 * with an error ends the program, unless HOW has "refused".
 */

#include "turn.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    gboolean once, measured, keep, refused;
    guint pause_ms;
    char *until;
    char *request;
    gboolean varies; /* $ or # in it */
} Step;

typedef struct {
    Wire wire;
    guint times;
    guint round;
    gint64 kept;
    GPtrArray *steps; /* of Step */
} Script;

static GString *with_payloads(const char *request)
{
    g_auto(GStrv) parts = g_strsplit(request, "@", -1);
    GString *text = g_string_new(parts[0]);

    for (guint i = 1; parts[i]; i++) {
        if (i % 2 == 0) {
            g_string_append(text, parts[i]);
        } else {
            gsize count = strtoul(parts[i], NULL, 10);
            g_autofree guint8 *bytes = g_malloc(count);
            g_autofree char *base64 = NULL;

            for (gsize j = 0; j < count; j++)
                bytes[j] = (guint8)(j * 7 + j / 256);
            base64 = g_base64_encode(bytes, count);
            g_string_append(text, base64);
        }
    }
    return text;
}

static Step *step_new(const char *text)
{
    const char *blank = strchr(text, ' ');
    g_autofree char *how = NULL;
    g_auto(GStrv) words = NULL;
    Step *step = g_new0(Step, 1);

    if (!blank)
        turn_fail("no step: %s", text);
    how = g_strndup(text, (gsize)(blank - text));
    words = g_strsplit(how, ",", -1);
    for (guint i = 0; words[i]; i++) {
        if (g_str_equal(words[i], "do"))
            step->measured = TRUE;
        else if (g_str_equal(words[i], "once"))
            step->once = TRUE;
        else if (g_str_equal(words[i], "keep"))
            step->keep = TRUE;
        else if (g_str_equal(words[i], "refused"))
            step->refused = TRUE;
        else if (g_str_has_prefix(words[i], "pause="))
            step->pause_ms = (guint)strtoul(words[i] + strlen("pause="), NULL, 10);
        else if (g_str_has_prefix(words[i], "until="))
            step->until = g_strdup(words[i] + strlen("until="));
        else if (!g_str_equal(words[i], "aside"))
            turn_fail("no such word: %s", words[i]);
    }
    step->request = g_string_free(with_payloads(blank + 1), FALSE);
    step->varies = strpbrk(step->request, "$#") != NULL;
    return step;
}

static void keep(Script *script, const char *line, gsize len)
{
    gsize at = strcspn(line, "0123456789-");

    if (at >= len)
        turn_fail("no number in the reply: %.*s", (int)MIN(len, 200), line);
    script->kept = g_ascii_strtoll(line + at, NULL, 10);
}

static gboolean ask(Script *script, const Step *step, const char *request, gsize request_len)
{
    const char *line;
    gsize len;

    wire_send(&script->wire, request, request_len);
    line = wire_reply(&script->wire, &len);
    /* An error is short, and its member comes first or behind the id. */
    if (!step->refused && g_strstr_len(line, (gssize)MIN(len, 200), "\"error\""))
        turn_fail("%.200s was refused: %.*s", request, (int)MIN(len, 400), line);
    if (step->keep)
        keep(script, line, len);
    return !step->until || g_strstr_len(line, (gssize)len, step->until);
}

static char *filled_in(const Script *script, const char *request)
{
    GString *text = g_string_new(request);
    g_autofree char *kept = g_strdup_printf("%" G_GINT64_FORMAT, script->kept);
    g_autofree char *round = g_strdup_printf("%u", script->round);

    g_string_replace(text, "$", kept, 0);
    g_string_replace(text, "#", round, 0);
    return g_string_free(text, FALSE);
}

/* Returns: how long it took */
static gint64 take_step(Script *script, const Step *step)
{
    g_autofree char *filled = step->varies ? filled_in(script, step->request) : NULL;
    const char *request = filled ? filled : step->request;
    gsize len = strlen(request);
    gint64 began;

    if (step->pause_ms > 0) /* of 0, too, the process would be taken off its processor */
        g_usleep(step->pause_ms * 1000);
    began = turn_now_ns();
    while (!ask(script, step, request, len))
        ;
    return turn_now_ns() - began;
}

static void run(gpointer data, Turn *turn)
{
    Script *script = data;

    for (guint i = 0; i < script->times; i++) {
        gint64 took = 0;

        script->round++;
        for (guint j = 0; j < script->steps->len; j++) {
            const Step *step = g_ptr_array_index(script->steps, j);

            if (step->measured)
                took += take_step(script, step);
            else if (!step->once)
                take_step(script, step);
        }
        turn_add(turn, took);
    }
}

int main(int argc, char **argv)
{
    Script script = {.steps = g_ptr_array_new()};

    g_set_prgname("bench-script");
    if (argc < 5)
        turn_fail("usage: bench-script PATH PROTOCOL TIMES STEP...");
    script.times = (guint)strtoul(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++)
        g_ptr_array_add(script.steps, step_new(argv[i]));
    wire_open(&script.wire, argv[1], argv[2]);
    for (guint i = 0; i < script.steps->len; i++)
        if (((Step *)g_ptr_array_index(script.steps, i))->once)
            take_step(&script, g_ptr_array_index(script.steps, i));
    turn_serve(run, &script);
    return EXIT_SUCCESS;
}
