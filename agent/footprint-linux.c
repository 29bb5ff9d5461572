/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/footprint.h"

#include <glib.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    guintptr start;
    gsize len;
} Range;

/* Whether the loader has written to what cannot be written to now: then that is nowhere else. */
static gboolean has_text_relocations(const struct dl_phdr_info *object, const ElfW(Phdr) * dynamic)
{
    const ElfW(Dyn) *entry = (gconstpointer)(object->dlpi_addr + dynamic->p_vaddr);

    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_TEXTREL ||
            (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0))
            return TRUE;
    }
    return FALSE;
}

static int add_ranges(struct dl_phdr_info *object, size_t size, void *data)
{
    const guintptr page = (guintptr)sysconf(_SC_PAGESIZE);
    GArray *ranges = data;

    for (guint i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC &&
            has_text_relocations(object, &object->dlpi_phdr[i]))
            return 0;
    }
    for (guint i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        const guintptr start = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        const guintptr end = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & ~(page - 1);

        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0 && end > start)
            g_array_append_vals(ranges, &(Range){start, end - start}, 1);
    }
    return 0;
}

/* All are found first: a look at the next object would bring pages back. */
void footprint_trim(void)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(Range));

    dl_iterate_phdr(add_ranges, ranges);
    for (guint i = 0; i < ranges->len; i++) {
        const Range *range = &g_array_index(ranges, Range, i);

        madvise((gpointer)range->start, range->len, MADV_DONTNEED);
    }
}
