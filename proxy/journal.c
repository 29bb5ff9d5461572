/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of one proxy, at most; each that was never used costs nothing. */
enum { SLOTS = 65536 };

/* Bytes that are read at once: a command takes some hundred. As much goes into a pipe. */
enum { LANDING = 64 * 1024 };

/* Regions have sizes of powers of two. */
enum { CLASS_MIN = 8, CLASSES = 32, RECORD_HEAD = 16 };

/* Of the mapping, which is as good as free where it is not used; no client can hold so much. */
#define SPACE ((gsize)(sizeof(void *) == 8 ? 2048u : 256u) << 20)
#define GROW  ((gsize)1 << 20)
#define MAGIC G_GUINT64_CONSTANT(0x316a2d6167712d31)

/* How the file begins. Only this process writes it, and nothing is read of it but by another that
 * comes when this one is gone: the order in which it is written is all that matters. */
typedef struct {
    guint64 record; /* where it begins in the file; 0 for none */
    guint64 class;  /* the size of its region, as a power of two */
    guint64 written;
} Slot;

typedef struct {
    guint64 magic;
    guint64 landing_slot; /* 0, or whose bytes are there; its record was made at: */
    guint64 landing_base; /* bytes of the connection in front of them */
    guint64 sending_slot; /* 0, or whose bytes go through the pipe */
    guint64 sending_base; /* bytes of the connection that were written before */
    guint64 sending_len;  /* bytes that went into the pipe */
    Slot slots[SLOTS];
    char landing[LANDING];
} Head;

#define HEAD_SIZE (((gsize)sizeof(Head) + 4095) & ~(gsize)4095)

struct Journal {
    int fd;
    Head *head; /* of the mapping */
    gsize size; /* of the file */
    gsize end;  /* of what was ever a region */
    int outbox[2];
    gsize landed; /* bytes in head->landing */

    GArray *free[CLASSES]; /* of guint64: regions */
    guint8 used[SLOTS];
    int kept[SLOTS];         /* 0, or one more than the descriptor that is kept with it */
    guint8 unclaimed[SLOTS]; /* of a former process, and nobody's yet */
    guint next;              /* slots from here on were never used */
    GArray *free_slots;

    int *fds; /* (nullable): of a former process, by slot: -1 for none */
    JournalKeep keep;
    gpointer owner;
};

static gboolean fail(GError **error, const char *what)
{
    int number = errno;

    g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "the journal's %s: %s",
                what, g_strerror(number));
    return FALSE;
}

/* What comes before is in memory before: the compiler is kept from putting it off. */
static void commit(guint64 *place, guint64 value)
{
    __atomic_store_n(place, value, __ATOMIC_RELEASE);
}

/* ---- Regions --------------------------------------------------------------------------------- */

static gboolean reserve(Journal *journal, gsize end)
{
    gsize size = (end + GROW - 1) / GROW * GROW;

    if (end <= journal->size)
        return TRUE;
    if (size > SPACE || ftruncate(journal->fd, (off_t)size) < 0)
        return FALSE;
    journal->size = size;
    return TRUE;
}

/* Returns: 0 where there is no room */
static guint64 take_region(Journal *journal, guint class)
{
    GArray *list = journal->free[class];
    guint64 at = journal->end;

    if (list->len > 0) {
        at = g_array_index(list, guint64, list->len - 1);
        g_array_set_size(list, list->len - 1);
        return at;
    }
    if (!reserve(journal, at + ((gsize)1 << class)))
        return 0;
    journal->end += (gsize)1 << class;
    return at;
}

static void give_region(Journal *journal, guint64 at, guint class)
{
    if (at != 0)
        g_array_append_val(journal->free[class], at);
}

static guint class_of(gsize len)
{
    return MAX(CLASS_MIN, g_bit_storage(len + RECORD_HEAD - 1));
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static void tell_keep(Journal *journal, guint slot, int fd)
{
    g_autofree char *name = g_strdup_printf("kept-%u", slot);

    journal->kept[slot] = fd + 1;
    if (journal->keep)
        journal->keep(journal->owner, name, fd);
}

guint journal_add(Journal *journal, int fd)
{
    GArray *list = journal->free_slots;
    guint slot = journal->next;

    if (list->len > 0) {
        slot = g_array_index(list, guint, list->len - 1);
        g_array_set_size(list, list->len - 1);
    } else if (slot == SLOTS) {
        return 0;
    } else {
        journal->next++;
    }
    journal->used[slot] = TRUE;
    journal->head->slots[slot].written = 0;
    if (fd >= 0)
        tell_keep(journal, slot, fd);
    return slot;
}

static void empty(Journal *journal, guint slot)
{
    Slot *place = &journal->head->slots[slot];
    guint64 old = place->record;

    commit(&place->record, 0);
    give_region(journal, old, (guint)place->class);
}

void journal_remove(Journal *journal, guint slot)
{
    if (slot == 0)
        return;
    empty(journal, slot);
    if (journal->kept[slot])
        tell_keep(journal, slot, -1);
    journal->used[slot] = FALSE;
    g_array_append_val(journal->free_slots, slot);
}

static void leave_landing(Journal *journal)
{
    commit(&journal->head->landing_slot, 0);
    memset(journal->head->landing, 0, journal->landed);
    journal->landed = 0;
}

/* The size of a region is not stored by the one store: a record tells it. */
void journal_note(Journal *journal, guint slot, GVariant *record)
{
    g_autoptr(GVariant) sunk = record ? g_variant_ref_sink(record) : NULL;
    const gsize len = sunk ? g_variant_get_size(sunk) : 0;
    const guint class = class_of(len);
    Slot *place = &journal->head->slots[slot];
    const guint64 old = place->record;
    const guint old_class = (guint)place->class;
    guint64 at;

    if (slot == 0)
        return;
    at = sunk && class < CLASSES ? take_region(journal, class) : 0;
    if (at != 0) {
        guint64 *head = (guint64 *)((char *)journal->head + at);

        head[0] = len;
        head[1] = class;
        g_variant_store(sunk, head + 2);
    }
    commit(&place->record, at);
    place->class = class;
    give_region(journal, old, old_class);
    if (journal->head->landing_slot == slot)
        leave_landing(journal);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static gssize read_landing(gpointer io, gpointer buffer, gsize size, GError **error)
{
    JournalIo *own = io;
    Journal *journal = own->journal;
    Head *head = journal->head;
    gssize got;

    if (own->slot == 0)
        return io_stream.read(own->io, buffer, size, error);
    leave_landing(journal);
    head->landing_base = own->read;
    commit(&head->landing_slot, own->slot);
    got = io_read_apart(own->io, buffer, head->landing, MIN(size, LANDING), error);
    journal->landed = (gsize)MAX(got, 0);
    if (got <= 0) {
        leave_landing(journal);
        return got;
    }
    memcpy(buffer, head->landing, (gsize)got);
    own->read += (guint64)got;
    return got;
}

/* Returns: bytes that are in the pipe now; 0 where none could be put there */
static gsize fill_outbox(Journal *journal, const QueuePiece *pieces, guint n_pieces)
{
    struct iovec parts[16];
    gsize left = LANDING;
    guint n = 0;
    gssize put;

    for (; n < MIN(n_pieces, G_N_ELEMENTS(parts)) && left > 0; n++) {
        parts[n] = (struct iovec){(gpointer)pieces[n].data, MIN(pieces[n].len, left)};
        left -= parts[n].iov_len;
    }
    put = writev(journal->outbox[1], parts, (int)n);
    return (gsize)MAX(put, 0);
}

static void drain_outbox(Journal *journal, gsize len)
{
    char bytes[4096];

    while (len > 0) {
        gssize got = read(journal->outbox[0], bytes, MIN(len, sizeof bytes));

        if (got <= 0)
            return;
        len -= (gsize)got;
    }
}

static gssize write_outbox(gpointer io, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    JournalIo *own = io;
    Journal *journal = own->journal;
    Head *head = journal->head;
    gsize len = own->slot > 0 ? fill_outbox(journal, pieces, n_pieces) : 0;
    gssize sent;
    int number;

    if (len == 0)
        return io_stream.write(own->io, pieces, n_pieces, error);
    head->sending_base = own->written;
    head->sending_len = len;
    commit(&head->sending_slot, own->slot);
    sent = splice(journal->outbox[0], NULL, io_fd(own->io), NULL, len, SPLICE_F_NONBLOCK);
    number = errno;
    own->written += (guint64)MAX(sent, 0);
    head->slots[own->slot].written = own->written;
    commit(&head->sending_slot, 0);
    drain_outbox(journal, len - (gsize)MAX(sent, 0));
    if (sent > 0)
        return sent;
    if (sent == 0 || number == EAGAIN || number == EINTR)
        return STREAM_IO_AGAIN;
    g_set_error_literal(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), g_strerror(number));
    return STREAM_IO_FAILED;
}

static void want(gpointer io, gboolean read, gboolean write)
{
    const JournalIo *own = io;

    io_stream.want(own->io, read, write);
}

/* Else the other side would not see the end before the one who keeps it has closed it too. */
static void close_io(gpointer io)
{
    const JournalIo *own = io;

    shutdown(io_fd(own->io), SHUT_RDWR);
    io_stream.close(own->io);
}

const StreamIo journal_stream = {read_landing, write_outbox, want, close_io};

/* ---- Of a process that was killed ------------------------------------------------------------ */

static GVariant *read_record(const Journal *journal, guint slot)
{
    const guint64 at = journal->head->slots[slot].record;
    const guint64 *head = (const guint64 *)((const char *)journal->head + at);
    GBytes *bytes;
    GVariant *record;

    if (at < HEAD_SIZE || at > journal->size - RECORD_HEAD ||
        head[0] > journal->size - RECORD_HEAD - at || head[1] >= CLASSES)
        return NULL;
    bytes = g_bytes_new(head + 2, head[0]);
    record = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
    g_bytes_unref(bytes);
    return record;
}

void journal_foreach(Journal *journal, void (*func)(guint slot, GVariant *record, gpointer data),
                     gpointer data)
{
    for (guint slot = 1; slot < journal->next; slot++) {
        g_autoptr(GVariant) record = journal->used[slot] ? read_record(journal, slot) : NULL;

        if (record)
            func(slot, record, data);
    }
}

int journal_take_fd(Journal *journal, guint slot)
{
    int fd = slot < SLOTS && journal->fds ? journal->fds[slot] : -1;

    if (fd >= 0)
        journal->fds[slot] = -1;
    return fd;
}

guint64 journal_take_rest(Journal *journal, guint slot, guint64 read, guint64 written,
                          GBytes **ret_input)
{
    Head *head = journal->head;
    gsize len = LANDING;

    *ret_input = NULL;
    if (head->landing_slot == slot && head->landing_base == read) {
        while (len > 0 && head->landing[len - 1] == '\0')
            len--;
        if (len > 0)
            *ret_input = g_bytes_new(head->landing, len);
    }
    return head->slots[slot].written > written ? head->slots[slot].written - written : 0;
}

void journal_claim(Journal *journal, guint slot)
{
    journal->unclaimed[slot] = FALSE;
}

/* Records first: killed in between, there must be none whose descriptors are gone. */
void journal_tidy(Journal *journal)
{
    for (guint slot = 1; slot < journal->next; slot++)
        if (journal->unclaimed[slot])
            empty(journal, slot);
    for (guint slot = 1; slot < journal->next; slot++) {
        int fd = journal_take_fd(journal, slot);

        if (fd >= 0)
            close(fd);
        if (journal->unclaimed[slot])
            journal_remove(journal, slot);
        journal->unclaimed[slot] = FALSE;
    }
    g_clear_pointer(&journal->fds, g_free);
}

/* Where the last write was cut short, the rest is in the pipe still. */
static void settle_sending(Journal *journal, int outbox)
{
    Head *head = journal->head;
    int left = 0;

    if (head->sending_slot > 0 && head->sending_slot < SLOTS && outbox >= 0 &&
        ioctl(outbox, FIONREAD, &left) == 0 && (guint64)left <= head->sending_len)
        head->slots[head->sending_slot].written =
            head->sending_base + head->sending_len - (guint64)left;
    commit(&head->sending_slot, 0);
}

static void find_used(Journal *journal)
{
    journal->end = HEAD_SIZE;
    for (guint slot = 1; slot < SLOTS; slot++) {
        Slot *place = &journal->head->slots[slot];
        g_autoptr(GVariant) record = place->record ? read_record(journal, slot) : NULL;

        if (record) {
            place->class = ((guint64 *)((char *)journal->head + place->record))[1];
            journal->end = MAX(journal->end, place->record + ((gsize)1 << place->class));
        } else {
            place->record = 0;
        }
        journal->kept[slot] = journal->fds[slot] + 1;
        journal->used[slot] = record || journal->kept[slot];
        journal->unclaimed[slot] = journal->used[slot];
        if (journal->used[slot])
            journal->next = slot + 1;
    }
    for (guint slot = 1; slot < journal->next; slot++)
        if (!journal->used[slot])
            g_array_append_val(journal->free_slots, slot);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* @fd: (transfer full) */
static Journal *make(int fd, GError **error)
{
    Journal *journal = g_new0(Journal, 1);

    journal->fd = fd;
    journal->outbox[0] = journal->outbox[1] = -1;
    journal->next = 1;
    journal->end = HEAD_SIZE;
    journal->free_slots = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < CLASSES; i++)
        journal->free[i] = g_array_new(FALSE, FALSE, sizeof(guint64));
    journal->head = mmap(NULL, SPACE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (journal->head == MAP_FAILED) {
        journal->head = NULL;
        fail(error, "memory");
    } else if (pipe2(journal->outbox, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail(error, "pipe");
    } else {
        return journal;
    }
    journal_free(journal);
    return NULL;
}

Journal *journal_new(GError **error)
{
    int fd = memfd_create("qga-proxy-journal", MFD_CLOEXEC);
    Journal *journal;

    if (fd < 0 || ftruncate(fd, (off_t)HEAD_SIZE) < 0) {
        fail(error, "memory");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    journal = make(fd, error);
    if (!journal)
        return NULL;
    journal->size = HEAD_SIZE;
    journal->head->magic = MAGIC;
    return journal;
}

/* Returns: -1 where there is none of that name */
static int find(const char *const *names, int *fds, const char *name)
{
    for (guint i = 0; names[i]; i++)
        if (g_str_equal(names[i], name)) {
            int fd = fds[i];

            fds[i] = -1;
            return fd;
        }
    return -1;
}

static void take_kept(Journal *journal, const char *const *names, int *fds)
{
    journal->fds = g_new(int, SLOTS);
    for (guint slot = 0; slot < SLOTS; slot++)
        journal->fds[slot] = -1;
    for (guint i = 0; names[i]; i++) {
        guint64 slot;

        if (!g_str_has_prefix(names[i], "kept-") ||
            !g_ascii_string_to_unsigned(names[i] + strlen("kept-"), 10, 1, SLOTS - 1, &slot,
                                        NULL) ||
            journal->fds[slot] >= 0)
            continue;
        journal->fds[slot] = fds[i];
        fds[i] = -1;
    }
}

static Journal *reopen(int fd, GError **error)
{
    Journal *journal;
    struct stat file;

    if (fd < 0 || fstat(fd, &file) < 0 || file.st_size < (off_t)HEAD_SIZE) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "there is no journal");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    journal = make(fd, error);
    if (!journal)
        return NULL;
    journal->size = (gsize)file.st_size;
    journal->landed = LANDING; /* how much of it nobody knows */
    if (journal->head->magic == MAGIC)
        return journal;
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                        "it is a journal of another make");
    journal_free(journal);
    return NULL;
}

Journal *journal_reopen(const char *const *names, const int *fds, GError **error)
{
    const guint n = g_strv_length((char **)names);
    g_autofree int *left = g_memdup2(fds, n * sizeof *fds);
    Journal *journal = reopen(find(names, left, "journal"), error);
    int outbox = find(names, left, "outbox");

    if (journal) {
        settle_sending(journal, outbox);
        take_kept(journal, names, left);
        find_used(journal);
    }
    if (outbox >= 0)
        close(outbox);
    for (guint i = 0; i < n; i++)
        if (left[i] >= 0)
            close(left[i]);
    return journal;
}

/* The journal last, and first not to be kept: without it the rest is of no use. */
static void tell_all(Journal *journal, gboolean kept)
{
    if (!kept)
        journal->keep(journal->owner, "journal", -1);
    journal->keep(journal->owner, "outbox", -1); /* may be a former one's */
    if (kept)
        journal->keep(journal->owner, "outbox", journal->outbox[0]);
    for (guint slot = 1; slot < journal->next; slot++) {
        g_autofree char *name = g_strdup_printf("kept-%u", slot);

        if (journal->kept[slot] > 0)
            journal->keep(journal->owner, name, kept ? journal->kept[slot] - 1 : -1);
    }
    if (kept)
        journal->keep(journal->owner, "journal", journal->fd);
}

void journal_set_keep(Journal *journal, JournalKeep keep, gpointer owner)
{
    if (journal->keep)
        tell_all(journal, FALSE);
    journal->keep = keep;
    journal->owner = owner;
    if (keep)
        tell_all(journal, TRUE);
}

void journal_free(Journal *journal)
{
    if (!journal)
        return;
    journal_set_keep(journal, NULL, NULL);
    for (guint i = 0; i < CLASSES; i++)
        g_array_unref(journal->free[i]);
    g_array_unref(journal->free_slots);
    for (guint slot = 0; journal->fds && slot < SLOTS; slot++)
        if (journal->fds[slot] >= 0)
            close(journal->fds[slot]);
    g_free(journal->fds);
    for (guint i = 0; i < G_N_ELEMENTS(journal->outbox); i++)
        if (journal->outbox[i] >= 0)
            close(journal->outbox[i]);
    if (journal->head)
        munmap(journal->head, SPACE);
    close(journal->fd);
    g_free(journal);
}
