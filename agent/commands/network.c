/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netpacket/packet.h>
#include <string.h>

#include "common/qmp-error.h"
#include "sysfs.h"
#include "text-file.h"

/* ---- Interfaces ------------------------------------------------------------------------------ */

/* What a line of /proc/net/dev has behind the name: as many for what comes in as for what goes
 * out. */
enum { COUNTERS_EACH_WAY = 8, COUNTERS = 2 * COUNTERS_EACH_WAY };

/* Link addresses of hosts have 6 bytes, of InfiniBand 20, of tunnels 4 or 16 or none; in a list
 * there is room for 24. */
enum { HARDWARE_ADDRESS_LEAST = 6, HARDWARE_ADDRESS_MOST = 24 };

typedef struct {
    const char *name;
    const struct sockaddr *link; /* (nullable) */
    GPtrArray *addresses;        /* of struct ifaddrs */
} Interface;

static void interface_free(gpointer data)
{
    Interface *interface = data;

    g_ptr_array_unref(interface->addresses);
    g_free(interface);
}

static gboolean is_internet(const struct ifaddrs *entry)
{
    return entry->ifa_addr != NULL &&
           (entry->ifa_addr->sa_family == AF_INET || entry->ifa_addr->sa_family == AF_INET6);
}

/* The list has an entry for each link, and one for each address. */
static GPtrArray *collect_interfaces(const struct ifaddrs *list)
{
    GPtrArray *interfaces = g_ptr_array_new_with_free_func(interface_free);
    g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

    for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
        Interface *interface = g_hash_table_lookup(by_name, entry->ifa_name);

        if (interface == NULL) {
            interface = g_new0(Interface, 1);
            interface->name = entry->ifa_name;
            interface->addresses = g_ptr_array_new();
            g_ptr_array_add(interfaces, interface);
            g_hash_table_insert(by_name, entry->ifa_name, interface);
        }
        if (is_internet(entry))
            g_ptr_array_add(interface->addresses, (gpointer)entry);
        else if (entry->ifa_addr != NULL && entry->ifa_addr->sa_family == AF_PACKET)
            interface->link = entry->ifa_addr;
    }
    return interfaces;
}

/* Values: an array of COUNTERS numbers, by name. */
static GHashTable *read_counters(char *text)
{
    GHashTable *counters = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    char *line;

    while ((line = text_next_line(&text)) != NULL) {
        g_autofree guint64 *values = g_new0(guint64, COUNTERS);
        char *words[COUNTERS];
        char *colon = strrchr(line, ':'); /* old kernels leave no blank behind it */
        guint n;

        if (colon == NULL)
            continue;
        *colon = '\0';
        n = text_split(colon + 1, words, COUNTERS);
        for (guint i = 0; i < n; i++)
            n = text_read_number(words[i], 10, &values[i]) ? n : 0;
        if (n == COUNTERS)
            g_hash_table_insert(counters, g_strchug(line), g_steal_pointer(&values));
    }
    return counters;
}

/* As qemu-ga has it for links without an address, all zeros; unlike there, a long one is whole. */
static void write_hardware_address(JsonWrite *write, const struct sockaddr *address)
{
    const struct sockaddr_ll *link = (const struct sockaddr_ll *)(gconstpointer)address;
    const guint8 *bytes = link->sll_addr; /* with more behind it where that is too short */
    guint len = MIN(link->sll_halen, HARDWARE_ADDRESS_MOST);
    char text[3 * HARDWARE_ADDRESS_MOST + 1] = "";

    for (guint i = 0; i < MAX(len, HARDWARE_ADDRESS_LEAST); i++)
        g_snprintf(text + 3 * i, 4, "%02x:", i < len ? bytes[i] : 0u);
    text[strlen(text) - 1] = '\0';
    json_write_member_string(write, "hardware-address", text);
}

static guint count_bits(const guint8 *bytes, guint n)
{
    guint count = 0;

    for (guint i = 0; i < 8 * n; i++)
        count += (bytes[i / 8] >> (i % 8)) & 1;
    return count;
}

static const guint8 *bytes_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (const guint8 *)&((const struct sockaddr_in *)(gconstpointer)address)->sin_addr;
    return (const guint8 *)&((const struct sockaddr_in6 *)(gconstpointer)address)->sin6_addr;
}

static void write_address(JsonWrite *write, const struct ifaddrs *entry)
{
    gboolean is_ipv4 = entry->ifa_addr->sa_family == AF_INET;
    guint n = is_ipv4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    char text[INET6_ADDRSTRLEN] = "";

    inet_ntop(entry->ifa_addr->sa_family, bytes_of(entry->ifa_addr), text, sizeof text);
    json_write_begin_object(write);
    json_write_member_string(write, "ip-address-type", is_ipv4 ? "ipv4" : "ipv6");
    json_write_member_string(write, "ip-address", text);
    json_write_member_int64(write, "prefix",
                            entry->ifa_netmask != NULL ? count_bits(bytes_of(entry->ifa_netmask), n)
                                                       : 8 * n);
    json_write_end_object(write);
}

static void write_statistics(JsonWrite *write, const guint64 *counters)
{
    static const char *const names[2][4] = {
        {"rx-bytes", "rx-packets", "rx-errs", "rx-dropped"},
        {"tx-bytes", "tx-packets", "tx-errs", "tx-dropped"},
    };

    json_write_key(write, "statistics");
    json_write_begin_object(write);
    for (guint way = 0; way < G_N_ELEMENTS(names); way++) {
        for (guint i = 0; i < G_N_ELEMENTS(names[way]); i++)
            json_write_member_uint64(write, names[way][i], counters[way * COUNTERS_EACH_WAY + i]);
    }
    json_write_end_object(write);
}

/* What an address' label, eth0:1, belongs to has the link. */
static const struct sockaddr *find_link(GPtrArray *interfaces, const Interface *interface)
{
    gsize len = strcspn(interface->name, ":");

    if (interface->link != NULL || interface->name[len] == '\0')
        return interface->link;
    for (guint i = 0; i < interfaces->len; i++) {
        const Interface *other = interfaces->pdata[i];

        if (strncmp(other->name, interface->name, len) == 0 && other->name[len] == '\0')
            return other->link;
    }
    return NULL;
}

void network_write_interfaces(JsonWrite *write, const struct ifaddrs *list, char *counters)
{
    g_autoptr(GPtrArray) interfaces = collect_interfaces(list);
    g_autoptr(GHashTable) by_name = read_counters(counters);

    json_write_begin_array(write);
    for (guint i = 0; i < interfaces->len; i++) {
        const Interface *interface = interfaces->pdata[i];
        const struct sockaddr *link = find_link(interfaces, interface);
        const guint64 *values = g_hash_table_lookup(by_name, interface->name);

        json_write_begin_object(write);
        json_write_member_string(write, "name", interface->name);
        if (link != NULL)
            write_hardware_address(write, link);
        if (interface->addresses->len > 0) {
            json_write_key(write, "ip-addresses");
            json_write_begin_array(write);
            for (guint j = 0; j < interface->addresses->len; j++)
                write_address(write, interface->addresses->pdata[j]);
            json_write_end_array(write);
        }
        if (values != NULL)
            write_statistics(write, values);
        json_write_end_object(write);
    }
    json_write_end_array(write);
}

gboolean guest_network_get_interfaces(Commands *commands, Call *call, GError **error)
{
    g_autofree char *counters = text_file_read(commands->system, "/proc/net/dev", NULL, NULL);
    char none[] = "";
    struct ifaddrs *list;

    if (getifaddrs(&list) != 0) {
        qmp_error_set(error, "getifaddrs failed: %s", g_strerror(errno));
        return FALSE;
    }
    network_write_interfaces(call_result(call), list, counters != NULL ? counters : none);
    freeifaddrs(list);
    return TRUE;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

/* How a word of a route's line becomes a member. */
typedef enum {
    WORD_NAME,
    WORD_ADDRESS,
    WORD_DECIMAL,
    WORD_HEXADECIMAL,
    WORD_PREFIX, /* hexadecimal, told as a string of decimal digits */
} WordKind;

typedef struct {
    const char *member;
    WordKind kind;
} RouteWord;

enum { ROUTE_WORDS_MOST = 11 };

typedef struct {
    const char *path;
    guint version;
    guint n_words;
    RouteWord words[ROUTE_WORDS_MOST];
} RouteTable;

static gboolean write_ipv4(JsonWrite *write, const char *word)
{
    char text[INET_ADDRSTRLEN] = "";
    guint64 value;
    guint32 address; /* the table has its bytes in the processor's order, as a number */

    if (!text_read_number(word, 16, &value) || value > G_MAXUINT32)
        return FALSE;
    address = (guint32)value;
    inet_ntop(AF_INET, &address, text, sizeof text);
    json_write_string(write, text);
    return TRUE;
}

static gboolean write_ipv6(JsonWrite *write, const char *word)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;

    if (strlen(word) != 2 * sizeof address ||
        strspn(word, "0123456789abcdefABCDEF") != strlen(word))
        return FALSE;
    for (guint i = 0; i < sizeof address; i++)
        address.s6_addr[i] = (guint8)(g_ascii_xdigit_value(word[2 * i]) << 4 |
                                      g_ascii_xdigit_value(word[2 * i + 1]));
    inet_ntop(AF_INET6, &address, text, sizeof text);
    json_write_string(write, text);
    return TRUE;
}

/* The kernel prints a metric of 32 bits with its sign. */
static gboolean write_decimal(JsonWrite *write, const char *word)
{
    gint64 value;

    if (!g_ascii_string_to_signed(word, 10, G_MININT32, G_MAXUINT32, &value, NULL))
        return FALSE;
    json_write_int64(write, value < 0 ? (guint32)value : value);
    return TRUE;
}

static gboolean write_hexadecimal(JsonWrite *write, const char *word, gboolean as_text)
{
    g_autofree char *text = NULL;
    guint64 value;

    if (!text_read_number(word, 16, &value))
        return FALSE;
    text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
    if (as_text)
        json_write_string(write, text);
    else
        json_write_uint64(write, value);
    return TRUE;
}

static gboolean write_word(JsonWrite *write, guint version, const RouteWord *as, const char *word)
{
    json_write_key(write, as->member);
    switch (as->kind) {
    case WORD_NAME: json_write_string(write, word); return TRUE;
    case WORD_ADDRESS: return version == 4 ? write_ipv4(write, word) : write_ipv6(write, word);
    case WORD_DECIMAL: return write_decimal(write, word);
    case WORD_HEXADECIMAL: return write_hexadecimal(write, word, FALSE);
    case WORD_PREFIX: return write_hexadecimal(write, word, TRUE);
    }
    g_assert_not_reached();
}

/* FALSE: it is none; what was written of it is to be thrown away. */
static gboolean write_route(JsonWrite *write, const RouteTable *table, char *line)
{
    char *words[ROUTE_WORDS_MOST];

    if (text_split(line, words, table->n_words) < table->n_words)
        return FALSE;
    json_write_begin_object(write);
    for (guint i = 0; i < table->n_words; i++) {
        if (!write_word(write, table->version, &table->words[i], words[i]))
            return FALSE;
    }
    json_write_member_int64(write, "version", table->version);
    json_write_end_object(write);
    return TRUE;
}

static gboolean write_table(JsonWrite *write, const System *system, const RouteTable *table,
                            GError **error)
{
    g_autofree char *text = text_file_read(system, table->path, NULL, error);
    g_autoptr(GString) route = g_string_new(NULL);
    char *at = text, *line;

    if (text == NULL)
        return FALSE;
    while ((line = text_next_line(&at)) != NULL) {
        JsonWrite inner;

        g_string_truncate(route, 0);
        json_write_init(&inner, route);
        if (write_route(&inner, table, line)) /* the line of headings is none */
            json_write_span(write, (JsonSpan){route->str, route->len});
    }
    return TRUE;
}

/* A kernel without one of both protocols has no such file; one without network has neither. */
gboolean guest_network_get_route(Commands *commands, Call *call, GError **error)
{
    static const RouteTable tables[] = {
        {"/proc/net/route",
         4,
         11,
         {{"iface", WORD_NAME},
          {"destination", WORD_ADDRESS},
          {"gateway", WORD_ADDRESS},
          {"flags", WORD_HEXADECIMAL},
          {"refcnt", WORD_DECIMAL},
          {"use", WORD_DECIMAL},
          {"metric", WORD_DECIMAL},
          {"mask", WORD_ADDRESS},
          {"mtu", WORD_DECIMAL},
          {"window", WORD_DECIMAL},
          {"irtt", WORD_DECIMAL}}},
        {"/proc/net/ipv6_route",
         6,
         10,
         {{"destination", WORD_ADDRESS},
          {"desprefixlen", WORD_PREFIX},
          {"source", WORD_ADDRESS},
          {"srcprefixlen", WORD_PREFIX},
          {"nexthop", WORD_ADDRESS},
          {"metric", WORD_HEXADECIMAL},
          {"refcnt", WORD_HEXADECIMAL},
          {"use", WORD_HEXADECIMAL},
          {"flags", WORD_HEXADECIMAL},
          {"iface", WORD_NAME}}},
    };
    const System *system = commands->system;
    gboolean has_ipv4 = sysfs_exists(system, tables[0].path);
    gboolean has_ipv6 = sysfs_exists(system, tables[1].path);
    JsonWrite *write = call_result(call);

    json_write_begin_array(write);
    if ((has_ipv4 || !has_ipv6) && !write_table(write, system, &tables[0], error))
        return FALSE;
    if (has_ipv6 && !write_table(write, system, &tables[1], error))
        return FALSE;
    json_write_end_array(write);
    return TRUE;
}
