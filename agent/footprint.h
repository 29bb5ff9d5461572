/* SPDX-License-Identifier: GPL-2.0-or-later */

/* footprint: what memory the process keeps once it has started. */

#pragma once

/**
 * footprint_trim:
 *
 * Unmaps what of the program and its libraries was read from their files alone. What is used again
 * comes back from the system's cache, a few pages at a time; what only the start had use for does
 * not. A debugger's breakpoints that were set by then go as well.
 */
void footprint_trim(void);
