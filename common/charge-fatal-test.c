/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What was not given back to an account is noticed at its end. */

#include "charge.h"

static void test_open_books(void)
{
    if (g_test_subprocess()) {
        Charge charge;

        charge_init(&charge, NULL, 10);
        if (charge_take(&charge, 1))
            charge_clear(&charge);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*charge*");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/charge-fatal/open-books", test_open_books);
    return g_test_run();
}
