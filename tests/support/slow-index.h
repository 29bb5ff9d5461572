/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * slow-index: an index of JSON (json-index.h) that is made byte by byte, for any processor: what
 * the fast one is held against, and what makes others go by an index where there is no fast one.
 */

#pragma once

#include "common/json-index.h"

G_BEGIN_DECLS

void slow_index(JsonIndex *index, const guint8 *at, gsize len);

G_END_DECLS
