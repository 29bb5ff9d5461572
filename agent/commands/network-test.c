/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Interfaces are told of with and without addresses, links and counters, whichever of them is
 * missing; routes with either file missing, and lines that are none. */

#include "network.h"

#include <arpa/inet.h>
#include <netpacket/packet.h>
#include <string.h>

#include "agent/fixture.h"

/* ---- Interfaces ------------------------------------------------------------------------------ */

/* What stands in an entry's place for the longest address. */
enum { HARDWARE_ADDRESS_ROOM = 32 };

/* One entry of a list, with all that it points to. */
typedef struct {
    struct ifaddrs entry;
    struct sockaddr_storage address;
    struct sockaddr_storage netmask;
} Entry;

static GPtrArray *entries; /* of Entry, each linked to the next */

static Entry *add_entry(const char *name)
{
    Entry *entry = g_new0(Entry, 1);

    entry->entry.ifa_name = (char *)name;
    if (entries->len > 0)
        ((Entry *)entries->pdata[entries->len - 1])->entry.ifa_next = &entry->entry;
    g_ptr_array_add(entries, entry);
    return entry;
}

static void add_link(const char *name, const guint8 *bytes, guint8 len)
{
    Entry *entry = add_entry(name);
    struct sockaddr_ll *link = (struct sockaddr_ll *)&entry->address;

    link->sll_family = AF_PACKET;
    link->sll_halen = len;
    if (bytes != NULL)
        memcpy(link->sll_addr, bytes, MIN(len, HARDWARE_ADDRESS_ROOM));
    entry->entry.ifa_addr = (struct sockaddr *)&entry->address;
}

static void set_address(struct sockaddr_storage *storage, const char *text)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;

    storage->ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    g_assert_cmpint(inet_pton(storage->ss_family, text,
                              storage->ss_family == AF_INET ? (void *)&ipv4->sin_addr
                                                            : (void *)&ipv6->sin6_addr),
                    ==, 1);
}

/* @netmask: (nullable) */
static void add_address(const char *name, const char *address, const char *netmask)
{
    Entry *entry = add_entry(name);

    set_address(&entry->address, address);
    entry->entry.ifa_addr = (struct sockaddr *)&entry->address;
    if (netmask == NULL)
        return;
    set_address(&entry->netmask, netmask);
    entry->entry.ifa_netmask = (struct sockaddr *)&entry->netmask;
}

static void check_interfaces(const char *counters, const char *expected)
{
    g_autofree char *text = g_strdup(counters);
    g_autoptr(GString) out = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, out);
    network_write_interfaces(&write, entries->len > 0 ? &((Entry *)entries->pdata[0])->entry : NULL,
                             text);
    g_assert_cmpstr(out->str, ==, expected);
}

static const guint8 mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0xFF};

static void set_up_entries(void)
{
    entries = g_ptr_array_new_with_free_func(g_free);
}

static void tear_down_entries(void)
{
    g_clear_pointer(&entries, g_ptr_array_unref);
}

#define NO_MAC "\"hardware-address\": \"00:00:00:00:00:00\""
#define MAC    "\"hardware-address\": \"52:54:00:12:34:ff\""
#define ADDRESS(type, address, prefix) \
    "{\"ip-address-type\": \"" type "\", \"ip-address\": \"" address "\", \"prefix\": " prefix "}"
#define STATISTICS                                                                          \
    "\"statistics\": {\"rx-bytes\": 18446744073709551615, \"rx-packets\": 2, \"rx-errs\": " \
    "3, \"rx-dropped\": 4, \"tx-bytes\": 9, \"tx-packets\": 10, \"tx-errs\": 11, "          \
    "\"tx-dropped\": 12}"

static void test_interfaces(void)
{
    static const char counters[] =
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
        "  eth0: 18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
        "  eth1:18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n";

    set_up_entries();
    add_link("lo", NULL, 6);
    add_link("eth0", mac, sizeof mac);
    add_link("eth1", mac, sizeof mac);
    add_address("lo", "127.0.0.1", "255.0.0.0");
    add_address("eth0", "192.0.2.7", "255.255.255.240");
    add_address("eth0:1", "192.0.2.9", NULL);
    add_address("eth0", "2001:db8::7", "ffff:ffff:ffff:ffff::");
    add_address("lo", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    check_interfaces(
        counters,
        "[{\"name\": \"lo\", " NO_MAC
        ", \"ip-addresses\": [" ADDRESS("ipv4", "127.0.0.1", "8") ", " ADDRESS(
            "ipv6", "::1",
            "128") "]}, "
                   "{\"name\": \"eth0\", " MAC
                   ", \"ip-addresses\": [" ADDRESS("ipv4", "192.0.2.7", "28") ", " ADDRESS(
                       "ipv6", "2001:db8::7",
                       "64") "], " STATISTICS "}, "
                             "{\"name\": \"eth1\", " MAC ", " STATISTICS "}, "
                             "{\"name\": \"eth0:1\", " MAC
                             ", \"ip-addresses\": [" ADDRESS("ipv4", "192.0.2.9", "32") "]}]");
    tear_down_entries();
}

/* An interface that is gone when the counters are read, one that came since, one without a link. */
static void test_vanished(void)
{
    set_up_entries();
    check_interfaces("", "[]");
    add_link("gone0", mac, sizeof mac);
    add_address("odd0", "192.0.2.7", "255.255.255.255");
    add_entry("empty0"); /* a tunnel: no address of any kind */
    add_entry("lost0:1");
    check_interfaces(" new0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
                     "[{\"name\": \"gone0\", " MAC
                     "}, {\"name\": \"odd0\", \"ip-addresses\": [" ADDRESS(
                         "ipv4", "192.0.2.7", "32") "]}, {\"name\": \"empty0\"}, "
                                                    "{\"name\": \"lost0:1\"}]");
    tear_down_entries();
}

/* None, as of a tunnel; four bytes, which qemu-ga fills up; InfiniBand's, which it cuts. */
static void test_hardware_addresses(void)
{
    static const guint8 bytes[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                     11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

    set_up_entries();
    add_link("tun0", NULL, 0);
    add_link("gre0", bytes, 4);
    add_link("ib0", bytes, 20);
    add_link("huge0", bytes, 255);
    check_interfaces("",
                     "[{\"name\": \"tun0\", " NO_MAC "}, "
                     "{\"name\": \"gre0\", \"hardware-address\": \"01:02:03:04:00:00\"}, "
                     "{\"name\": \"ib0\", \"hardware-address\": \"01:02:03:04:05:06:07:08:09:0a:"
                     "0b:0c:0d:0e:0f:10:11:12:13:14\"}, "
                     "{\"name\": \"huge0\", \"hardware-address\": \"01:02:03:04:05:06:07:08:09:0a:"
                     "0b:0c:0d:0e:0f:10:11:12:13:14:00:00:00:00\"}]");
    tear_down_entries();
}

/* A label's link is that of the interface before the colon, not of one whose name begins alike. */
static void test_labels(void)
{
    set_up_entries();
    add_link("eth01", NULL, 0);
    add_link("eth0", mac, sizeof mac);
    add_address("eth0:1", "192.0.2.7", NULL);
    check_interfaces("", "[{\"name\": \"eth01\", " NO_MAC "}, {\"name\": \"eth0\", " MAC "}, "
                         "{\"name\": \"eth0:1\", " MAC
                         ", \"ip-addresses\": [" ADDRESS("ipv4", "192.0.2.7", "32") "]}]");
    tear_down_entries();
}

static void test_counters_hostile(void)
{
    static const char *const broken[] = {
        "eth0",
        "eth0:",
        ":",
        "eth0: 1 2 3",
        "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x",
        "eth0: -1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n\n\n:\neth0: 1 2",
        "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    };

    set_up_entries();
    add_link("eth0", mac, sizeof mac);
    for (guint i = 0; i < G_N_ELEMENTS(broken); i++)
        check_interfaces(broken[i], "[{\"name\": \"eth0\", " MAC "}]");
    tear_down_entries();
}

/* ---- Routes ---------------------------------------------------------------------------------- */

#define INTERFACES "{\"execute\": \"guest-network-get-interfaces\"}"
#define ROUTES     "{\"execute\": \"guest-network-get-route\"}"
#define IPV4       "/proc/net/route"
#define IPV6       "/proc/net/ipv6_route"

#define IPV4_HEAD \
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT  \n"
#define IPV6_ZERO "00000000000000000000000000000000"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

/* The table has addresses in the order of the processor's bytes. */
static char *table_word(const char *address)
{
    struct in_addr in;

    g_assert_cmpint(inet_pton(AF_INET, address, &in), ==, 1);
    return g_strdup_printf("%08X", in.s_addr);
}

#define IPV4_RETURN                                                                   \
    "{\"iface\": \"eth0\", \"destination\": \"192.0.2.0\", \"gateway\": \"0.0.0.1\"," \
    " \"flags\": 3, \"refcnt\": 4, \"use\": 5, \"metric\": 4294967295,"               \
    " \"mask\": \"255.255.255.0\", \"mtu\": 1500, \"window\": 6, \"irtt\": 7, \"version\": 4}"
#define IPV6_LINE                                                             \
    "20010db8000000000000000000000000 40 fd000000000000000000000000000000 08" \
    " fe800000000000000000000000000001 ffffffff 00000002 00000003 80200001     eth0\n"
#define IPV6_RETURN                                                                       \
    "{\"destination\": \"2001:db8::\", \"desprefixlen\": \"64\", \"source\": \"fd00::\"," \
    " \"srcprefixlen\": \"8\", \"nexthop\": \"fe80::1\", \"metric\": 4294967295,"         \
    " \"refcnt\": 2, \"use\": 3, \"flags\": 2149580801, \"iface\": \"eth0\", \"version\": 6}"

static char *ipv4_line(void)
{
    g_autofree char *network = table_word("192.0.2.0");
    g_autofree char *gateway = table_word("0.0.0.1");
    g_autofree char *mask = table_word("255.255.255.0");

    return g_strdup_printf(IPV4_HEAD "eth0\t%s\t%s\t0003\t4\t5\t-1\t%s\t1500\t6\t7     \n", network,
                           gateway, mask);
}

static void test_routes(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = ipv4_line();

    fixture_write(fixture, IPV4, text);
    fixture_write(fixture, IPV6, IPV6_LINE);
    fixture_check(fixture, ROUTES, "{\"return\": [" IPV4_RETURN ", " IPV6_RETURN "]}");
}

static void test_routes_missing(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, ROUTES, "open(\"/proc/net/route\"): No such file or directory");
    fixture_write(fixture, IPV6, IPV6_LINE);
    fixture_check(fixture, ROUTES, "{\"return\": [" IPV6_RETURN "]}");
    fixture_write(fixture, IPV6, "");
    fixture_check(fixture, ROUTES, "{\"return\": []}");
}

static void test_routes_without_ipv6(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = ipv4_line();

    fixture_write(fixture, IPV4, text);
    fixture_check(fixture, ROUTES, "{\"return\": [" IPV4_RETURN "]}");
    fixture_write(fixture, IPV4, IPV4_HEAD);
    fixture_check(fixture, ROUTES, "{\"return\": []}");
}

static void test_routes_hostile(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, IPV4,
                  "\n\t\neth0\neth0 0 0\n"
                  "eth0 X 0 1 0 0 0 0 0 0 0\neth0 100000000 0 1 0 0 0 0 0 0 0\n"
                  "eth0 0 0 -1 0 0 0 0 0 0 0\neth0 0 0 1 0 0 4294967296 0 0 0 0\n"
                  "eth0 0 0 1 0 0 0 0 0 0 x\neth0 0 0 1 0 0 0 0 0 0");
    fixture_write(fixture, IPV6,
                  "0 0 0 0 0 0 0 0 0 lo\n"
                  "0000000000000000000000000000000x 0 " IPV6_ZERO " 0 " IPV6_ZERO
                  " 0 0 0 0 lo\n" IPV6_ZERO "0 0 " IPV6_ZERO " 0 " IPV6_ZERO
                  " 0 0 0 0 lo\n" IPV6_ZERO " x " IPV6_ZERO " 0 " IPV6_ZERO
                  " 0 0 0 0 lo\n" IPV6_ZERO " 0 " IPV6_ZERO " 0 " IPV6_ZERO " 0 0 0 0");
    fixture_check(fixture, ROUTES, "{\"return\": []}");
}

static void test_routes_cut(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = ipv4_line();

    fixture_check_cut(fixture, ROUTES, IPV6, IPV6_LINE, strlen(IPV6_LINE));
    fixture_check_cut(fixture, ROUTES, IPV4, text, strlen(text));
}

/* The real list, whose interfaces the counters of another system say nothing of. */
static void test_command(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *reply = fixture_ask(fixture, INTERFACES);

    g_assert_nonnull(strstr(reply, "{\"name\": \"lo\""));
    g_assert_null(strstr(reply, "statistics"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/network/interfaces", test_interfaces);
    g_test_add_func("/network/vanished", test_vanished);
    g_test_add_func("/network/hardware-addresses", test_hardware_addresses);
    g_test_add_func("/network/labels", test_labels);
    g_test_add_func("/network/counters-hostile", test_counters_hostile);
#define ADD(name, function) \
    g_test_add("/network/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("routes", test_routes);
    ADD("routes-missing", test_routes_missing);
    ADD("routes-without-ipv6", test_routes_without_ipv6);
    ADD("routes-hostile", test_routes_hostile);
    ADD("routes-cut", test_routes_cut);
    ADD("command", test_command);
#undef ADD
    return g_test_run();
}
