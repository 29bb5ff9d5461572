/* SPDX-License-Identifier: GPL-2.0-or-later */

/* network-win32: guest-network-get-interfaces, guest-network-get-route of Windows. */

#include <winsock2.h>
#include <ws2tcpip.h>
#include <iphlpapi.h>

#include "agent/dispatch.h"
#include "agent/win32-error.h"

static char *to_utf8(const wchar_t *wide)
{
    char *text = g_utf16_to_utf8(wide, -1, NULL, NULL, NULL);

    return text != NULL ? text : g_strdup("");
}

/* Without a scope, which means nothing to a host. */
static void write_ip(JsonWrite *write, const char *name, const void *address, int family)
{
    char text[INET6_ADDRSTRLEN] = "";

    InetNtopA(family, (void *)(guintptr)address, text, sizeof(text));
    json_write_member_string(write, name, text);
}

static const void *bytes_of(const SOCKADDR *address)
{
    if (address->sa_family == AF_INET)
        return &((const SOCKADDR_IN *)(gconstpointer)address)->sin_addr;
    return &((const SOCKADDR_IN6 *)(gconstpointer)address)->sin6_addr;
}

/* ---- Interfaces ------------------------------------------------------------------------------ */

static void write_hardware_address(JsonWrite *write, const IP_ADAPTER_ADDRESSES *adapter)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (ULONG i = 0; i < adapter->PhysicalAddressLength; i++)
        g_string_append_printf(text, "%s%02x", i > 0 ? ":" : "", adapter->PhysicalAddress[i]);
    if (text->len > 0)
        json_write_member_string(write, "hardware-address", text->str);
}

static void write_address(JsonWrite *write, const IP_ADAPTER_UNICAST_ADDRESS *entry)
{
    const SOCKADDR *address = entry->Address.lpSockaddr;
    gboolean is_ipv4 = address->sa_family == AF_INET;

    json_write_begin_object(write);
    json_write_member_string(write, "ip-address-type", is_ipv4 ? "ipv4" : "ipv6");
    write_ip(write, "ip-address", bytes_of(address), address->sa_family);
    json_write_member_int64(write, "prefix", entry->OnLinkPrefixLength);
    json_write_end_object(write);
}

static gboolean is_internet(const IP_ADAPTER_UNICAST_ADDRESS *entry)
{
    ADDRESS_FAMILY family = entry->Address.lpSockaddr->sa_family;

    return family == AF_INET || family == AF_INET6;
}

static void write_addresses(JsonWrite *write, const IP_ADAPTER_UNICAST_ADDRESS *entry)
{
    gboolean any = FALSE;

    for (; entry != NULL; entry = entry->Next) {
        if (!is_internet(entry))
            continue;
        if (!any) {
            json_write_key(write, "ip-addresses");
            json_write_begin_array(write);
        }
        any = TRUE;
        write_address(write, entry);
    }
    if (any)
        json_write_end_array(write);
}

static void write_statistics(JsonWrite *write, const IP_ADAPTER_ADDRESSES *adapter)
{
    MIB_IF_ROW2 row = {.InterfaceLuid = adapter->Luid};

    if (GetIfEntry2(&row) != NO_ERROR)
        return;
    json_write_key(write, "statistics");
    json_write_begin_object(write);
    json_write_member_uint64(write, "rx-bytes", row.InOctets);
    json_write_member_uint64(write, "rx-packets", row.InUcastPkts + row.InNUcastPkts);
    json_write_member_uint64(write, "rx-errs", row.InErrors);
    json_write_member_uint64(write, "rx-dropped", row.InDiscards);
    json_write_member_uint64(write, "tx-bytes", row.OutOctets);
    json_write_member_uint64(write, "tx-packets", row.OutUcastPkts + row.OutNUcastPkts);
    json_write_member_uint64(write, "tx-errs", row.OutErrors);
    json_write_member_uint64(write, "tx-dropped", row.OutDiscards);
    json_write_end_object(write);
}

/* Returns: (transfer full) (nullable): a list. What there is may grow between the call that asks
 * for its size and the one that asks for it. */
static IP_ADAPTER_ADDRESSES *list_adapters(ULONG *ret_code)
{
    const ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    ULONG size = 16 * 1024;
    IP_ADAPTER_ADDRESSES *list = NULL;

    do {
        g_free(list);
        list = g_malloc0(size);
        *ret_code = GetAdaptersAddresses(AF_UNSPEC, flags, NULL, list, &size);
    } while (*ret_code == ERROR_BUFFER_OVERFLOW);
    if (*ret_code != ERROR_SUCCESS)
        g_clear_pointer(&list, g_free);
    return list;
}

gboolean guest_network_get_interfaces(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    ULONG code;
    g_autofree IP_ADAPTER_ADDRESSES *list = list_adapters(&code);

    if (code != ERROR_SUCCESS && code != ERROR_NO_DATA)
        return win32_error_set(error, code, "failed to list the interfaces");
    json_write_begin_array(write);
    for (const IP_ADAPTER_ADDRESSES *adapter = list; adapter != NULL; adapter = adapter->Next) {
        g_autofree char *name = to_utf8(adapter->FriendlyName);

        json_write_begin_object(write);
        json_write_member_string(write, "name", name);
        write_hardware_address(write, adapter);
        write_addresses(write, adapter->FirstUnicastAddress);
        write_statistics(write, adapter);
        json_write_end_object(write);
    }
    json_write_end_array(write);
    return TRUE;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static char *interface_name(const NET_LUID *luid)
{
    wchar_t alias[IF_MAX_STRING_SIZE + 1] = L"";

    if (ConvertInterfaceLuidToAlias(luid, alias, G_N_ELEMENTS(alias)) != NO_ERROR)
        return g_strdup("");
    return to_utf8(alias);
}

/* What a route costs is its own number and that of its interface. */
static gint64 metric_of(const MIB_IPFORWARD_ROW2 *row, const IP_ADAPTER_ADDRESSES *adapters)
{
    gboolean is_ipv4 = row->DestinationPrefix.Prefix.si_family == AF_INET;

    for (; adapters != NULL; adapters = adapters->Next) {
        if (adapters->Luid.Value == row->InterfaceLuid.Value)
            return (gint64)row->Metric + (is_ipv4 ? adapters->Ipv4Metric : adapters->Ipv6Metric);
    }
    return row->Metric;
}

static void write_mask(JsonWrite *write, guint length)
{
    guint32 mask = g_htonl(length > 0 ? G_MAXUINT32 << (32 - MIN(length, 32)) : 0);

    write_ip(write, "mask", &mask, AF_INET);
}

static void write_route(JsonWrite *write, const MIB_IPFORWARD_ROW2 *row,
                        const IP_ADAPTER_ADDRESSES *adapters)
{
    const SOCKADDR_INET *to = &row->DestinationPrefix.Prefix;
    gboolean is_ipv4 = to->si_family == AF_INET;
    g_autofree char *name = interface_name(&row->InterfaceLuid);
    g_autofree char *length = g_strdup_printf("%u", row->DestinationPrefix.PrefixLength);

    json_write_begin_object(write);
    json_write_member_string(write, "iface", name);
    json_write_member_int64(write, "metric", metric_of(row, adapters));
    json_write_member_int64(write, "version", is_ipv4 ? 4 : 6);
    if (is_ipv4) {
        write_ip(write, "destination", &to->Ipv4.sin_addr, AF_INET);
        write_ip(write, "gateway", &row->NextHop.Ipv4.sin_addr, AF_INET);
        write_mask(write, row->DestinationPrefix.PrefixLength);
    } else {
        write_ip(write, "destination", &to->Ipv6.sin6_addr, AF_INET6);
        json_write_member_string(write, "desprefixlen", length);
        write_ip(write, "nexthop", &row->NextHop.Ipv6.sin6_addr, AF_INET6);
    }
    json_write_end_object(write);
}

gboolean guest_network_get_route(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    MIB_IPFORWARD_TABLE2 *table;
    ULONG code;
    g_autofree IP_ADAPTER_ADDRESSES *adapters = list_adapters(&code);

    code = GetIpForwardTable2(AF_UNSPEC, &table);
    if (code != NO_ERROR)
        return win32_error_set(error, code, "failed to list the routes");
    json_write_begin_array(write);
    for (ULONG i = 0; i < table->NumEntries; i++)
        write_route(write, &table->Table[i], adapters);
    json_write_end_array(write);
    FreeMibTable(table);
    return TRUE;
}
