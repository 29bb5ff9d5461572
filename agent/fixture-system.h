/* SPDX-License-Identifier: GPL-2.0-or-later */

/* fixture-system: the part of a fixture's system that each real system has in a form of its own. */

#pragma once

#include "agent/fixture.h"

void fixture_attach_system(CommandFixture *fixture);

/* Writes down what the system was asked to do. */
void fixture_note(CommandFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);
