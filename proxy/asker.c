/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "asker.h"

Asker *asker_new(const char *peer, gint64 user, gint64 process)
{
    Asker *asker = g_new(Asker, 1);

    *asker = (Asker){g_strdup(peer), user, process};
    return asker;
}

void asker_free(Asker *asker)
{
    if (!asker)
        return;
    g_free(asker->peer);
    g_free(asker);
}
