/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a project that builds the library within itself can see of it: its header, and no other of
 * the same folder, of which one is called as one of the C library's.
 */

#include <link.h>
#include <qga-proxy.h>

int main(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QgaProxy) proxy = qga_proxy_new("unix:/nobody", NULL, &error);
    ElfW(Addr) address = 0; /* of the C library's link.h */

    g_assert_no_error(error);
    g_assert_false(qga_proxy_add_listener(proxy, "nonsense", &error));
    g_assert_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS);
    return (int)address;
}
