/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The agent, with every command, and a host that sends any bytes, reads as slowly as it likes,
 * leaves and comes back.
 *
 * The first byte of the input says what kind of guest it is, the second how large the pieces are
 * that are read and written; the rest is what the host sends, where byte 1 and a letter are what
 * happens between.
 *
 * Nothing of it reaches the machine: the system is that of agent/fixture.h, programs are
 * memory-process.h's, the channel memory-channel.h's, and files are below a directory that is
 * removed (cage.h). guest-network-get-interfaces, which asks the kernel by itself, is blocked.
 *
 * Held: each request has one reply, in the order of the requests, and each fault one; but for those
 * that are silent on success, which may have none. A reply is one line of ASCII and one object,
 * with the request's id as it was written. When nobody is there any more nothing is left frozen,
 * and no program.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "agent/fixture.h"
#include "cage.h"
#include "common/envelope.h"
#include "common/limits.h"
#include "fuzz.h"
#include "memory-channel.h"
#include "memory-process.h"

/* The one kind of reply that is not ASCII from its first byte on. */
enum { DELIMITER = 0xFF };

typedef struct {
    CommandFixture fixture;
    Agent *agent;
    GString *sent; /* on this connection */
    gboolean left; /* the host did, and its replies may be lost */
} Run;

static System *the_system;

/* In the place of the real one, which is therefore not linked at all. */
System *system_get(void)
{
    return the_system;
}

/* ---- What was said --------------------------------------------------------------------------- */

/* What the host may conclude from the first so many replies: a set of numbers of replies. */
typedef struct {
    GArray *replies; /* of JsonSpan */
    GByteArray *may; /* for each number of replies, whether that many may be what came until here */
    gboolean all_met; /* all that came were accounted for at some point */
} Account;

static JsonSpan find_member(JsonSpan object, const char *name)
{
    JsonWalk walk = json_read_walk(object);
    JsonSpan key, value;

    while (json_read_kind(object) == JSON_KIND_OBJECT && json_read_member(&walk, &key, &value)) {
        if (json_read_is(key, name))
            return value;
    }
    return JSON_SPAN_NONE;
}

static gboolean same_id(JsonSpan request, JsonSpan reply)
{
    JsonSpan asked = find_member(request, "id"), told = find_member(reply, "id");
    g_autoptr(GString) a = g_string_new(NULL);
    g_autoptr(GString) b = g_string_new(NULL);

    if (asked.text == NULL || told.text == NULL)
        return asked.text == told.text;
    fuzz_append_meaning(asked, a);
    fuzz_append_meaning(told, b);
    return g_string_equal(a, b);
}

static const GuestCommand *find_command(JsonSpan request)
{
    g_auto(EnvelopeCommand) command = {0};

    if (!envelope_read_command(request, ENVELOPE_OOB_UNKNOWN, &command, NULL))
        return NULL;
    return guest_schema_find(command.name);
}

/* @request: of a fault, which has none, JSON_SPAN_NONE */
static void account(Account *account, JsonSpan request)
{
    const GuestCommand *command = request.text != NULL ? find_command(request) : NULL;
    gboolean silent = command != NULL && (command->flags & GUEST_FLAG_SILENT) != 0;
    gboolean must_fail = command == NULL || silent;
    guint8 *may = account->may->data;

    for (guint i = account->replies->len; i-- > 0;) {
        JsonSpan reply = g_array_index(account->replies, JsonSpan, i);
        gboolean fails = find_member(reply, "error").text != NULL;
        gboolean fits = (fails || !must_fail) && same_id(request, reply);

        if (may[i] && fits)
            may[i + 1] = TRUE;
        else
            may[i + 1] = silent && may[i + 1];
    }
    may[0] = silent && may[0];
    account->all_met |= may[account->replies->len];
}

static void check_reply(JsonSpan reply)
{
    JsonSpan value = find_member(reply, "return"), error = find_member(reply, "error");

    g_assert_true((value.text != NULL) != (error.text != NULL));
    if (error.text != NULL) {
        g_assert_cmpint(json_read_kind(find_member(error, "class")), ==, JSON_KIND_STRING);
        g_assert_cmpint(json_read_kind(find_member(error, "desc")), ==, JSON_KIND_STRING);
    }
}

/* A host that has left may have read half of the last one. */
static void read_replies(const GString *output, gboolean may_be_cut, GArray *ret)
{
    const char *at = output->str, *end = output->str + output->len;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (gsize)(end - at));
        JsonSpan reply = {at, 0};
        JsonScan scan;

        if (line_end == NULL) {
            g_assert_true(may_be_cut);
            return;
        }
        if ((guint8)*at == DELIMITER)
            reply.text++;
        reply.len = (gsize)(line_end - reply.text);
        for (gsize i = 0; i < reply.len; i++)
            g_assert_true(reply.text[i] >= ' ' && reply.text[i] <= '~');
        json_scan_init(&scan, &JSON_SCAN_LIMITS(LIMIT_JSON_BYTES));
        g_assert_cmpint(json_scan_next(&scan, reply.text, reply.len), ==, JSON_SCAN_VALUE);
        g_assert_true(scan.start == 0 && scan.end == reply.len);
        json_scan_clear(&scan);
        g_assert_cmpint(json_read_kind(reply), ==, JSON_KIND_OBJECT);
        check_reply(reply);
        g_array_append_val(ret, reply);
        at = line_end + 1;
    }
}

static void check_connection(const Run *run)
{
    g_autoptr(GArray) replies = g_array_new(FALSE, FALSE, sizeof(JsonSpan));
    g_autoptr(GByteArray) may = g_byte_array_new();
    Account so_far = {.replies = replies, .may = may};
    const JsonScanLimits limits = {LIMIT_JSON_BYTES, LIMIT_JSON_TOKENS, LIMIT_JSON_NESTING};
    JsonScanVerdict verdict;
    JsonScan scan;

    read_replies(memory_channel_output(), run->left, replies);
    g_byte_array_set_size(may, replies->len + 1);
    memset(may->data, FALSE, may->len);
    may->data[0] = TRUE;
    so_far.all_met = replies->len == 0;
    json_scan_init(&scan, &limits);
    while ((verdict = json_scan_next(&scan, run->sent->str, run->sent->len)) != JSON_SCAN_MORE)
        account(&so_far, verdict == JSON_SCAN_VALUE
                             ? (JsonSpan){run->sent->str + scan.start, scan.end - scan.start}
                             : JSON_SPAN_NONE);
    json_scan_clear(&scan);
    if (!(run->left ? so_far.all_met : may->data[replies->len]))
        fuzz_fail("what was asked:\n%s\nis not what was answered:\n%s", run->sent->str,
                  memory_channel_output()->str);
}

/* ---- What happens ---------------------------------------------------------------------------- */

/* Until the agent waits for the host, or for a program that is held. */
static void settle(Run *run)
{
    memory_channel_turn();
    while (memory_channel_is_held() && run->fixture.held->len == 0) {
        g_main_context_iteration(NULL, TRUE);
        memory_channel_turn();
    }
}

static void end_program(Run *run, int status)
{
    if (run->fixture.held->len > 0)
        fixture_end_program(&run->fixture, status, status == 0 ? "" : "it \xFF failed\n");
    settle(run);
}

static void end_programs(Run *run)
{
    settle(run);
    while (run->fixture.held->len > 0)
        end_program(run, 0);
}

static void come_and_go(Run *run, gboolean left)
{
    run->left = left;
    if (!left) {
        memory_channel_set_room(0, G_MAXSSIZE);
        end_programs(run);
        check_connection(run);
    }
    memory_channel_disconnect();
    end_programs(run); /* until then a port that is closed is not noticed */
    if (left)
        check_connection(run);
    g_string_truncate(run->sent, 0);
}

static void act(Run *run, char what)
{
    switch (what) {
    case 'd':
        come_and_go(run, TRUE);
        memory_channel_connect();
        break;
    case 'w': memory_channel_set_room(0, 0); break;
    case 'r': memory_channel_set_room(0, 50); break;
    case 'R': memory_channel_set_room(7, G_MAXSSIZE); break;
    case 'e': end_program(run, 0); break;
    case 'E': end_program(run, 3); break;
    case 'p': memory_process_end_all(0); break;
    case 'k': memory_process_end_all(-9); break;
    default: break;
    }
}

static void play(Run *run, const char *bytes, gsize len)
{
    gsize start = 0;

    for (gsize i = 0; i <= len; i++) {
        if (i < len && bytes[i] != 1)
            continue;
        memory_channel_send(bytes + start, i - start);
        g_string_append_len(run->sent, bytes + start, (gssize)(i - start));
        settle(run);
        if (i + 1 < len)
            act(run, bytes[i + 1]);
        start = MIN(++i + 1, len);
    }
}

/* ---- The guest ------------------------------------------------------------------------------- */

#define MOUNTS                                  \
    "1 1 8:1 / /mnt/a rw - ext4 /dev/sda1 rw\n" \
    "2 1 8:2 / /mnt/b rw - xfs /dev/sdb rw\n"   \
    "3 1 8:2 /x /mnt/c rw - xfs /dev/sdb rw\n"  \
    "4 1 0:5 / /mnt/d rw - tmpfs none rw\n"

static void furnish(CommandFixture *fixture, guint8 kind)
{
    static struct tm rtc = {.tm_year = 100, .tm_mday = 1};
    static const struct {
        const char *path, *text;
    } files[] = {
        {"files/f", "0123456789"},
        {"proc/net/route", "Iface\neth0 0 0100000A 3 0 0 7 0 0 0 0\n"},
        {"proc/loadavg", "0.5 0.25 0.1 1/1 1\n"},
        {"proc/stat", "cpu 1 2\ncpu0 1 2 3 4 5 6 7 8 9 10\n"},
        {"sys/devices/system/cpu/cpu1/online", "1\n"},
        {"etc/os-release", "ID='x y'\n"},
    };

    fixture->mounts = MOUNTS;
    fixture->output = "";
    fixture->user = "u";
    fixture->hold = (kind & 1) != 0;
    fixture->status = (kind & 2) != 0 ? 1 : 0;
    fixture->tools = (kind & 4) != 0 ? "hwclock chpasswd poweroff systemctl " : "";
    fixture->rtc = (kind & 8) != 0 ? &rtc : NULL;
    fixture->refusing = (kind & 16) != 0 ? "/mnt/a" : NULL;
    fixture->power_state = "mem disk";
    fixture->power_disk = "[platform] suspend";
    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        fixture_write(fixture, files[i].path, files[i].text);
    g_hash_table_add(fixture->policy.blocked.names, g_strdup("guest-network-get-interfaces"));
    /* Answers are held against questions in their order. */
    g_hash_table_add(fixture->policy.blocked.names, g_strdup("guest-capabilities"));
}

static void raise_flag(gpointer user)
{
    *(gboolean *)user = TRUE;
}

static void leave(Run *run)
{
    gboolean quit = FALSE;

    memory_process_end_all(0);
    agent_quit(run->agent, raise_flag, &quit);
    while (!quit) {
        if (run->fixture.held->len > 0)
            end_program(run, 0);
        else
            g_main_context_iteration(NULL, TRUE);
    }
    while (agent_is_working(run->agent))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(g_hash_table_size(run->fixture.frozen), ==, 0);
    g_assert_false(state_is_marked_frozen(&run->fixture.state));
    agent_free(run->agent);
}

static GLogWriterOutput ignore_log(GLogLevelFlags level, const GLogField *fields, gsize count,
                                   gpointer user_data)
{
    return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static gboolean prepared;
    Run run = {.sent = g_string_new(NULL)};
    ChannelAddress address = {.method = CHANNEL_VIRTIO_SERIAL};

    if (!prepared) {
        g_log_set_writer_func(ignore_log, NULL, NULL);
        if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR)) /* six times as fast as a disk */
            g_setenv("TMPDIR", "/dev/shm", FALSE);
        prepared = TRUE;
    }
    fixture_init(&run.fixture, NULL);
    cage_enter(run.fixture.directory);
    furnish(&run.fixture, size > 0 ? data[0] : 0);
    memory_process_begin();
    the_system = &run.fixture.system;
    run.agent = agent_new(&(AgentOptions){
        .freezer.hook = size > 0 && (data[0] & 32) != 0 ? "hook" : NULL,
        .policy = &run.fixture.policy,
        .state = &run.fixture.state,
    });
    g_assert_true(agent_open(run.agent, &address, NULL));
    memory_channel_set_read_max(size > 1 ? data[1] : 0);
    memory_channel_connect();
    if (size > 2)
        play(&run, (const char *)data + 2, size - 2);
    come_and_go(&run, FALSE);
    leave(&run);
    memory_process_end();
    fixture_clear(&run.fixture);
    g_string_free(run.sent, TRUE);
    return 0;
}
