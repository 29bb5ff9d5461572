/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every form that QEMU's command lines know, what each leaves to the defaults, and that a mistake
 * is answered with the part that is wrong.
 */

#include "address.h"

#include <string.h>

static const AddressDefaults connects = {.server = FALSE, .wait = TRUE};
static const AddressDefaults listens = {.server = TRUE, .wait = FALSE};
static const AddressDefaults as_qemu = {.server = FALSE, .wait = TRUE};

static Address *parse(const char *text, const AddressDefaults *defaults)
{
    g_autoptr(GError) error = NULL;
    Address *address = address_parse(text, defaults, &error);

    g_assert_no_error(error);
    g_assert_nonnull(address);
    return address;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_unix(void)
{
    static const struct {
        const char *text;
        const char *path;
    } cases[] = {
        {"unix:/run/vm.sock", "/run/vm.sock"},
        {"unix:relative", "relative"},
        {"unix:@name", "@name"},
        {"unix:/a,,b", "/a,b"},
        {"unix:/a,,,,b", "/a,,b"},
        {"unix:/a,,", "/a,"},
        {"unix:/a,,,server=off", "/a,"},
        {"unix:,,server", ",server"},
        {"unix:a=b:c", "a=b:c"},
        {"unix:/\xc3\xa9 x", "/\xc3\xa9 x"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Address) address = parse(cases[i].text, &connects);

        g_assert_cmpint(address->kind, ==, ADDRESS_UNIX);
        g_assert_cmpstr(address->path, ==, cases[i].path);
        g_assert_false(address->server);
    }
}

static void test_tcp(void)
{
    static const struct {
        const char *text;
        const char *host;
        const char *port;
        const char *string;
    } cases[] = {
        {"tcp:localhost:4444", "localhost", "4444", "tcp:localhost:4444"},
        {"tcp::4444", "", "4444", "tcp::4444"},
        {"tcp:[::1]:4444", "::1", "4444", "tcp:[::1]:4444"},
        {"tcp:[fe80::1%eth0]:1", "fe80::1%eth0", "1", "tcp:[fe80::1%eth0]:1"},
        {"tcp:[127.0.0.1]:1", "127.0.0.1", "1", "tcp:127.0.0.1:1"},
        {"tcp:0.0.0.0:0,server", "0.0.0.0", "0", "tcp:0.0.0.0:0"},
        {"tcp:host:65535", "host", "65535", "tcp:host:65535"},
        {"tcp:host:http-alt", "host", "http-alt", "tcp:host:http-alt"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Address) address = parse(cases[i].text, &listens);
        g_autofree char *string = address_to_string(address);

        g_assert_cmpint(address->kind, ==, ADDRESS_TCP);
        g_assert_cmpstr(address->host, ==, cases[i].host);
        g_assert_cmpstr(address->port, ==, cases[i].port);
        g_assert_cmpstr(string, ==, cases[i].string);
    }
}

static void test_numbers(void)
{
    g_autoptr(Address) vsock = parse("vsock:3:1234", &connects);
    g_autoptr(Address) any = parse("vsock::1234,server", &connects);
    g_autoptr(Address) most = parse("vsock:4294967295:4294967295", &listens);
    g_autoptr(Address) fd = parse("fd:7", &connects);

    g_assert_cmpint(vsock->kind, ==, ADDRESS_VSOCK);
    g_assert_cmpuint(vsock->cid, ==, 3);
    g_assert_cmpuint(vsock->number, ==, 1234);
    g_assert_cmpuint(any->cid, ==, ADDRESS_CID_ANY);
    g_assert_cmpuint(most->cid, ==, ADDRESS_CID_ANY);
    g_assert_cmpuint(most->number, ==, G_MAXUINT32);
    g_assert_cmpint(fd->kind, ==, ADDRESS_FD);
    g_assert_cmpuint(fd->number, ==, 7);
}

/* What a message shows reads back as the same address. */
static void test_to_string(void)
{
    static const char *const texts[] = {"unix:/run/vm.sock", "unix:@a",    "tcp:h:1",   "tcp::1",
                                        "tcp:[::1]:1",       "vsock:3:10", "vsock::10", "fd:3"};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Address) address = parse(texts[i], &listens);
        g_autofree char *string = address_to_string(address);

        g_assert_cmpstr(string, ==, texts[i]);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static void test_options(void)
{
    static const struct {
        const char *text;
        const AddressDefaults *defaults;
        gboolean server;
        gboolean wait;
        guint reconnect;
    } cases[] = {
        {"tcp:h:1", &connects, FALSE, FALSE, 0},
        {"tcp:h:1", &listens, TRUE, FALSE, 0},
        {"tcp:h:1,server", &as_qemu, TRUE, TRUE, 0},
        {"tcp:h:1,server,nowait", &as_qemu, TRUE, FALSE, 0},
        {"tcp:h:1,nowait,server", &as_qemu, TRUE, FALSE, 0},
        {"tcp:h:1,server=on,wait=off", &as_qemu, TRUE, FALSE, 0},
        {"tcp:h:1,server=yes,wait=true", &as_qemu, TRUE, TRUE, 0},
        {"tcp:h:1,server=y,wait=n", &as_qemu, TRUE, FALSE, 0},
        {"tcp:h:1,wait", &listens, TRUE, TRUE, 0},
        {"tcp:h:1,server=off", &listens, FALSE, FALSE, 0},
        {"tcp:h:1,server=no", &listens, FALSE, FALSE, 0},
        {"tcp:h:1,server=false", &listens, FALSE, FALSE, 0},
        {"tcp:h:1,noserver", &listens, FALSE, FALSE, 0},
        {"tcp:h:1,server,noserver", &connects, FALSE, FALSE, 0},
        {"tcp:h:1,server=off,server=on", &connects, TRUE, TRUE, 0},
        {"unix:/a,reconnect=1", &connects, FALSE, FALSE, 1},
        {"unix:/a,reconnect=2147483647", &connects, FALSE, FALSE, G_MAXINT32},
        {"unix:/a,reconnect=5,server=off", &listens, FALSE, FALSE, 5},
        {"tcp:h:1,nodelay", &connects, FALSE, FALSE, 0},
        {"tcp:h:1,server,nowait,nodelay=on", &connects, TRUE, FALSE, 0},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Address) address = parse(cases[i].text, cases[i].defaults);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(address->server, ==, cases[i].server);
        g_assert_cmpint(address->wait, ==, cases[i].wait);
        g_assert_cmpuint(address->reconnect, ==, cases[i].reconnect);
    }
}

static void test_pretty(void)
{
    static const struct {
        const char *text;
        gboolean pretty;
    } cases[] = {
        {"tcp:h:1", FALSE},          {"tcp:h:1,pretty", TRUE},
        {"tcp:h:1,pretty=on", TRUE}, {"tcp:h:1,pretty=on,pretty=off", FALSE},
        {"unix:@a,pretty=on", TRUE}, {"fd:3,pretty,server=off", TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Address) address = parse(cases[i].text, &listens);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(address->pretty, ==, cases[i].pretty);
    }
}

/* Whose a path is to be, and for whom. */
static void test_rights(void)
{
    static const struct {
        const char *text;
        guint mode;
        const char *user;
        const char *group;
    } cases[] = {
        {"unix:/a", 0, NULL, NULL},
        {"unix:/a,mode=660", 0660, NULL, NULL},
        {"unix:/a,mode=0660,group=kvm", 0660, NULL, "kvm"},
        {"unix:/a,user=0,group=4294967294,mode=777", 0777, "0", "4294967294"},
        {"unix:/a,user=qemu,user=DOM\\user-1", 0, "DOM\\user-1", NULL},
        {"unix:/a,user=1st,mode=1,mode=7", 7, "1st", NULL},
        {"unix:/a,server=off,mode=600,server=on", 0600, NULL, NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Address) address = parse(cases[i].text, &listens);

        g_test_message("%s", cases[i].text);
        g_assert_cmpuint(address->mode, ==, cases[i].mode);
        g_assert_cmpstr(address->user, ==, cases[i].user);
        g_assert_cmpstr(address->group, ==, cases[i].group);
    }
}

static void test_has_path(void)
{
    static const char *const texts[] = {"unix:@a", "tcp:h:1", "vsock:1:1", "fd:3"};
    g_autoptr(Address) path = parse("unix:a@b", &listens);

    g_assert_true(address_has_path(path));
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Address) address = parse(texts[i], &listens);

        g_assert_false(address_has_path(address));
    }
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static void test_mistakes(void)
{
    static const struct {
        const char *text;
        const char *culprit; /* what the error says behind the address */
    } cases[] = {
        {"", "'' begins with none of unix:, tcp:, vsock:, fd:"},
        {"udp:a:1", "'udp:a:1' begins with none of unix:, tcp:, vsock:, fd:"},
        {"/run/vm.sock,server", "'/run/vm.sock' begins with none of unix:, tcp:, vsock:, fd:"},
        {"unix:", "there is no path behind 'unix:'"},
        {"unix:,server", "there is no path behind 'unix:'"},
        {"unix:@", "there is no name behind '@'"},
        {"tcp:host", "there is no ':PORT' behind the host in 'host'"},
        {"tcp:", "there is no ':PORT' behind the host in ''"},
        {"tcp:host:", "there is no port: tcp:HOST:PORT is wanted"},
        {"tcp:host:65536", "port '65536' is not a number from 0 to 65535"},
        {"tcp:host:0", "port '0' is nothing to connect to"},
        {"tcp::1", "there is no host to connect to"},
        {"tcp:::1:4444", "'::1:4444' has a colon too many: an IPv6 address stands in brackets"},
        {"tcp:[::1:4444", "the bracket in '[::1:4444' is not closed"},
        {"tcp:[::1]4444", "there is no ':PORT' behind the host in '[::1]4444'"},
        {"tcp:[::1]", "there is no ':PORT' behind the host in '[::1]'"},
        {"tcp:[]:1", "there is no address within the brackets of '[]:1'"},
        {"vsock:3", "there is no ':PORT' behind the context in '3'"},
        {"vsock::3", "there is no context to connect to"},
        {"vsock:x:3", "context 'x' is not a number from 0 to 4294967295"},
        {"vsock:3:", "port '' is not a number from 0 to 4294967295"},
        {"vsock:3:4294967296", "port '4294967296' is not a number from 0 to 4294967295"},
        {"fd:", "descriptor '' is not a number from 0 to 2147483647"},
        {"fd:-1", "descriptor '-1' is not a number from 0 to 2147483647"},
        {"fd:monitor", "descriptor 'monitor' is not a number from 0 to 2147483647"},
        {"tcp:h:1,sever", "option 'sever' is not known"},
        {"tcp:h:1,telnet=on", "option 'telnet' is not known"},
        {"tcp:h:1,nowait=on", "option 'nowait' is not known"},
        {"tcp:h:1,", "there is no option behind a comma"},
        {"unix:/a,server,", "there is no option behind a comma"},
        {"tcp:h:1,server=maybe", "option 'server' is on or off, not 'maybe'"},
        {"tcp:h:1,server=", "option 'server' is on or off, not ''"},
        {"tcp:h:1,server,wait=1", "option 'wait' is on or off, not '1'"},
        {"tcp:h:1,nodelay=x", "option 'nodelay' is on or off, not 'x'"},
        {"tcp:h:1,nowait", "option 'wait' is for a server, and this connects"},
        {"tcp:h:1,reconnect", "reconnect '' is not a number from 0 to 2147483647"},
        {"tcp:h:1,reconnect=1.5", "reconnect '1.5' is not a number from 0 to 2147483647"},
        {"tcp:h:1,reconnect=1,server",
         "option 'reconnect' is for what connects, and this is a server"},
        {"fd:3,reconnect=1",
         "option 'reconnect' is for what connects, and a descriptor serves once"},
        {"unix:/a,pretty=1", "option 'pretty' is on or off, not '1'"},
        {"unix:/a,server,mode=0", "mode '0' is not an octal number from 1 to 777"},
        {"unix:/a,server,mode", "mode '' is not an octal number from 1 to 777"},
        {"unix:/a,server,mode=1777", "mode '1777' is not an octal number from 1 to 777"},
        {"unix:/a,server,mode=680", "mode '680' is not an octal number from 1 to 777"},
        {"unix:/a,server,mode=u+rw", "mode 'u+rw' is not an octal number from 1 to 777"},
        {"unix:/a,server,user", "there is no name behind 'user='"},
        {"unix:/a,server,group=", "there is no name behind 'group='"},
        {"unix:/a,server,user=4294967295",
         "user '4294967295' is not a number from 0 to 4294967294"},
        {"unix:/a,server,group=99999999999999999999",
         "group '99999999999999999999' is not a number from 0 to 4294967294"},
        {"unix:/a,mode=600", "option 'mode' is for the path that a unix server makes"},
        {"unix:@a,server,mode=600", "option 'mode' is for the path that a unix server makes"},
        {"tcp:h:1,server,user=root", "option 'user' is for the path that a unix server makes"},
        {"vsock:1:1,server,user=1", "option 'user' is for the path that a unix server makes"},
        {"fd:3,server,group=kvm", "option 'group' is for the path that a unix server makes"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *expected =
            g_strdup_printf("address '%s': %s", cases[i].text, cases[i].culprit);
        g_autoptr(GError) error = NULL;

        g_assert_null(address_parse(cases[i].text, &connects, &error));
        g_assert_error(error, ADDRESS_ERROR, ADDRESS_ERROR_SYNTAX);
        g_assert_cmpstr(error->message, ==, expected);
        g_assert_null(address_parse(cases[i].text, &connects, NULL));
    }
}

static void test_copy(void)
{
    Address *address = parse("tcp:[::1]:1,reconnect=3", &connects);
    Address *owned = parse("unix:/a,user=u,group=g", &listens);
    g_autoptr(Address) copy = address_copy(address);
    g_autoptr(Address) owned_copy = address_copy(owned);
    g_autofree char *string = NULL;

    address_free(address);
    address_free(owned);
    g_assert_cmpstr(owned_copy->user, ==, "u");
    g_assert_cmpstr(owned_copy->group, ==, "g");
    string = address_to_string(copy);
    g_assert_cmpstr(string, ==, "tcp:[::1]:1");
    g_assert_cmpuint(copy->reconnect, ==, 3);
    address_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/address/unix", test_unix);
    g_test_add_func("/address/tcp", test_tcp);
    g_test_add_func("/address/numbers", test_numbers);
    g_test_add_func("/address/to-string", test_to_string);
    g_test_add_func("/address/options", test_options);
    g_test_add_func("/address/pretty", test_pretty);
    g_test_add_func("/address/rights", test_rights);
    g_test_add_func("/address/has-path", test_has_path);
    g_test_add_func("/address/mistakes", test_mistakes);
    g_test_add_func("/address/copy", test_copy);
    return g_test_run();
}
