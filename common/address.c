/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "address.h"

#include <string.h>

G_DEFINE_QUARK(address_error, address_error)

G_GNUC_PRINTF(2, 3)
static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(ADDRESS_ERROR, ADDRESS_ERROR_SYNTAX, format, args);
    va_end(args);
    return FALSE;
}

static gboolean read_number(const char *what, const char *text, guint64 max, guint64 *ret_number,
                            GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, 0, max, ret_number, NULL))
        return TRUE;
    return fail(error, "%s '%s' is not a number from 0 to %" G_GUINT64_FORMAT, what, text, max);
}

/* ---- The name in front ----------------------------------------------------------------------- */

static gboolean read_unix(Address *address, const char *name, GError **error)
{
    if (name[0] == '\0')
        return fail(error, "there is no path behind 'unix:'");
    if (strcmp(name, "@") == 0)
        return fail(error, "there is no name behind '@'");
    address->path = g_strdup(name);
    return TRUE;
}

/* Anything but a number is the name of a service, which only the system can know. */
static gboolean check_port(const char *port, GError **error)
{
    guint64 number;

    if (port[0] == '\0')
        return fail(error, "there is no port: tcp:HOST:PORT is wanted");
    if (strspn(port, "0123456789") < strlen(port))
        return TRUE;
    return read_number("port", port, G_MAXUINT16, &number, error);
}

static gboolean read_tcp(Address *address, const char *name, GError **error)
{
    gboolean bracket = name[0] == '[';
    const char *host = name + bracket;
    const char *host_end = strchr(host, bracket ? ']' : ':');
    const char *colon = host_end && bracket ? host_end + 1 : host_end;

    if (bracket && !host_end)
        return fail(error, "the bracket in '%s' is not closed", name);
    if (!colon || colon[0] != ':')
        return fail(error, "there is no ':PORT' behind the host in '%s'", name);
    if (strchr(colon + 1, ':'))
        return fail(error, "'%s' has a colon too many: an IPv6 address stands in brackets", name);
    if (bracket && host == host_end)
        return fail(error, "there is no address within the brackets of '%s'", name);
    address->host = g_strndup(host, (gsize)(host_end - host));
    address->port = g_strdup(colon + 1);
    return check_port(address->port, error);
}

static gboolean read_vsock(Address *address, const char *name, GError **error)
{
    const char *colon = strchr(name, ':');
    g_autofree char *cid_text = NULL;
    guint64 cid = ADDRESS_CID_ANY;
    guint64 port;

    if (!colon)
        return fail(error, "there is no ':PORT' behind the context in '%s'", name);
    cid_text = g_strndup(name, (gsize)(colon - name));
    if (cid_text[0] != '\0' && !read_number("context", cid_text, G_MAXUINT32, &cid, error))
        return FALSE;
    if (!read_number("port", colon + 1, G_MAXUINT32, &port, error))
        return FALSE;
    address->cid = (guint32)cid;
    address->number = (guint32)port;
    return TRUE;
}

static gboolean read_fd(Address *address, const char *name, GError **error)
{
    guint64 number;

    if (!read_number("descriptor", name, G_MAXINT32, &number, error))
        return FALSE;
    address->number = (guint32)number;
    return TRUE;
}

static const struct {
    const char *prefix;
    AddressKind kind;
    gboolean (*read)(Address *address, const char *name, GError **error);
} kinds[] = {
    {"unix:", ADDRESS_UNIX, read_unix},
    {"tcp:", ADDRESS_TCP, read_tcp},
    {"vsock:", ADDRESS_VSOCK, read_vsock},
    {"fd:", ADDRESS_FD, read_fd},
};

static gboolean read_name(Address *address, const char *part, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_has_prefix(part, kinds[i].prefix)) {
            address->kind = kinds[i].kind;
            return kinds[i].read(address, part + strlen(kinds[i].prefix), error);
        }
    return fail(error, "'%s' begins with none of unix:, tcp:, vsock:, fd:", part);
}

/* ---- The options behind it ------------------------------------------------------------------- */

typedef struct {
    gboolean server;
    gboolean wait;
    gboolean wait_said;
    gboolean reconnect_said;
    guint64 reconnect;
    const char *path_said; /* (nullable): an option that is for the path of a unix server */
} Options;

/* @value: (nullable): an option without one is on */
static gboolean read_switch(const char *name, const char *value, gboolean *ret_on, GError **error)
{
    static const char *const on[] = {"on", "yes", "true", "y", NULL};
    static const char *const off[] = {"off", "no", "false", "n", NULL};

    if (value && !g_strv_contains(on, value) && !g_strv_contains(off, value))
        return fail(error, "option '%s' is on or off, not '%s'", name, value);
    *ret_on = !value || g_strv_contains(on, value);
    return TRUE;
}

/* Digits alone are a number, as for chown(1); whether there is such a name only the system knows.
 */
static gboolean read_account(const char *name, const char *value, char **ret_account,
                             GError **error)
{
    guint64 number;

    if (!value || value[0] == '\0')
        return fail(error, "there is no name behind '%s='", name);
    if (strspn(value, "0123456789") == strlen(value) &&
        !read_number(name, value, ADDRESS_ID_MAX, &number, error))
        return FALSE;
    g_free(*ret_account);
    *ret_account = g_strdup(value);
    return TRUE;
}

/* Nobody could connect to a path of mode 0, which so is free to mean that nothing was said. */
static gboolean read_mode(const char *value, guint *ret_mode, GError **error)
{
    guint64 mode;

    if (!g_ascii_string_to_unsigned(value, 8, 1, 0777, &mode, NULL))
        return fail(error, "mode '%s' is not an octal number from 1 to 777", value);
    *ret_mode = (guint)mode;
    return TRUE;
}

static gboolean read_path_option(Address *address, Options *options, const char *name,
                                 const char *value, GError **error)
{
    if (strcmp(name, "mode") == 0) {
        options->path_said = "mode";
        return read_mode(value ? value : "", &address->mode, error);
    }
    if (strcmp(name, "user") == 0) {
        options->path_said = "user";
        return read_account(name, value, &address->user, error);
    }
    if (strcmp(name, "group") == 0) {
        options->path_said = "group";
        return read_account(name, value, &address->group, error);
    }
    return fail(error, "option '%s' is not known", name);
}

static gboolean read_option(Address *address, Options *options, const char *part, GError **error)
{
    const char *equals = strchr(part, '=');
    const char *value = equals ? equals + 1 : NULL;
    g_autofree char *name = g_strndup(part, equals ? (gsize)(equals - part) : strlen(part));
    gboolean nodelay;

    if (part[0] == '\0')
        return fail(error, "there is no option behind a comma");
    if (strcmp(part, "noserver") == 0) {
        options->server = FALSE;
        return TRUE;
    }
    if (strcmp(part, "nowait") == 0) {
        options->wait = FALSE;
        options->wait_said = TRUE;
        return TRUE;
    }
    if (strcmp(name, "server") == 0)
        return read_switch(name, value, &options->server, error);
    if (strcmp(name, "wait") == 0) {
        options->wait_said = TRUE;
        return read_switch(name, value, &options->wait, error);
    }
    if (strcmp(name, "reconnect") == 0) {
        options->reconnect_said = TRUE;
        return read_number("reconnect", value ? value : "", G_MAXINT32, &options->reconnect, error);
    }
    /* Many command lines have it, and every connection of ours is without delay. */
    if (strcmp(name, "nodelay") == 0)
        return read_switch(name, value, &nodelay, error);
    if (strcmp(name, "pretty") == 0)
        return read_switch(name, value, &address->pretty, error);
    return read_path_option(address, options, name, value, error);
}

gboolean address_has_path(const Address *address)
{
    return address->kind == ADDRESS_UNIX && address->path[0] != '@';
}

/* What does not fit together is refused as QEMU refuses it. */
static gboolean apply(Address *address, const Options *options, GError **error)
{
    if (!options->server && options->wait_said)
        return fail(error, "option 'wait' is for a server, and this connects");
    if (options->server && options->reconnect_said)
        return fail(error, "option 'reconnect' is for what connects, and this is a server");
    if (options->reconnect_said && address->kind == ADDRESS_FD)
        return fail(error, "option 'reconnect' is for what connects, and a descriptor serves once");
    if (options->path_said && (!options->server || !address_has_path(address)))
        return fail(error, "option '%s' is for the path that a unix server makes",
                    options->path_said);
    if (!options->server && address->kind == ADDRESS_TCP && address->host[0] == '\0')
        return fail(error, "there is no host to connect to");
    if (!options->server && address->kind == ADDRESS_VSOCK && address->cid == ADDRESS_CID_ANY)
        return fail(error, "there is no context to connect to");
    if (!options->server && address->kind == ADDRESS_TCP &&
        strspn(address->port, "0") == strlen(address->port))
        return fail(error, "port '%s' is nothing to connect to", address->port);
    address->server = options->server;
    address->wait = options->server && options->wait;
    address->reconnect = (guint)options->reconnect;
    return TRUE;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* Returns: (transfer full) (nullable): up to the next single comma, doubled ones made one; NULL
 * behind the last part. Moves *at behind it. */
static char *next_part(const char **at)
{
    g_autoptr(GString) part = g_string_new(NULL);
    const char *c = *at;

    if (!c)
        return NULL;
    for (; *c != '\0'; c++) {
        if (c[0] == ',' && c[1] != ',')
            break;
        c += c[0] == ',';
        g_string_append_c(part, *c);
    }
    *at = *c == ',' ? c + 1 : NULL;
    return g_string_free(g_steal_pointer(&part), FALSE);
}

static gboolean read_parts(Address *address, const char *text, const AddressDefaults *defaults,
                           GError **error)
{
    Options options = {.server = defaults->server, .wait = defaults->wait};
    const char *at = text;
    g_autofree char *name = next_part(&at);
    char *part;

    if (!read_name(address, name, error))
        return FALSE;
    while ((part = next_part(&at))) {
        gboolean ok = read_option(address, &options, part, error);

        g_free(part);
        if (!ok)
            return FALSE;
    }
    return apply(address, &options, error);
}

Address *address_parse(const char *text, const AddressDefaults *defaults, GError **error)
{
    g_autoptr(Address) address = g_new0(Address, 1);

    if (!read_parts(address, text, defaults, error)) {
        g_prefix_error(error, "address '%s': ", text);
        return NULL;
    }
    return g_steal_pointer(&address);
}

Address *address_copy(const Address *address)
{
    Address *copy = g_new(Address, 1);

    *copy = *address;
    copy->path = g_strdup(address->path);
    copy->host = g_strdup(address->host);
    copy->port = g_strdup(address->port);
    copy->user = g_strdup(address->user);
    copy->group = g_strdup(address->group);
    return copy;
}

void address_free(Address *address)
{
    if (!address)
        return;
    g_free(address->path);
    g_free(address->host);
    g_free(address->port);
    g_free(address->user);
    g_free(address->group);
    g_free(address);
}

char *address_to_string(const Address *address)
{
    switch (address->kind) {
    case ADDRESS_UNIX: return g_strconcat("unix:", address->path, NULL);
    case ADDRESS_TCP:
        return g_strdup_printf(strchr(address->host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s",
                               address->host, address->port);
    case ADDRESS_VSOCK:
        if (address->cid == ADDRESS_CID_ANY)
            return g_strdup_printf("vsock::%u", address->number);
        return g_strdup_printf("vsock:%u:%u", address->cid, address->number);
    case ADDRESS_FD: return g_strdup_printf("fd:%u", address->number);
    }
    g_assert_not_reached();
}
