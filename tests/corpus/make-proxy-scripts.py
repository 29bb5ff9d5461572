#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes scripts for tests/fuzz/proxy-fuzz, one for each thing that can happen: make-proxy-scripts.py [--check] FOLDER

The files are committed, among those that the fuzzer has found, whose names are 40 hexadecimal digits; --check tells
whether they are what this script says. The numbers of steps and commands are read from fuzz-script.c."""

import re
import sys
from pathlib import Path

SOURCE = (Path(__file__).resolve().parent.parent / "fuzz" / "fuzz-script.c").read_text()


def table(begin, entry):
    body = SOURCE[SOURCE.index(begin):]
    return re.findall(entry, body[body.index("{"):body.index("};")])


STEPS = [name.removeprefix("step_") for name in table("steps[])", r"\b\w+")]
COMMANDS = table("} commands[] = {", r'\{"([\w\\-]+)", "((?:\\.|[^"\\])*)"\}')
EVENTS = table("events[] = {", r'"\\"([A-Z_]+)\\"((?:\\.|[^"\\])*)"')

A, B = 0, 1
ALL = 0xFF  # room for everything


# ---- Steps ---------------------------------------------------------------------------------------


def step(name, how=0, *behind):
    return bytes([STEPS.index(name) + how * len(STEPS), *behind])


def text(name, how, content):
    content = content if isinstance(content, bytes) else content.encode()
    return step(name, how, len(content)) + content


def row(name, arguments=""):
    return next(i for i, (n, a) in enumerate(COMMANDS) if n == name and arguments in a)


def command(who, name, arguments="", ident=0, oob=False, fd=False, first=False, timed=False):
    """A client sends a command of the table, with the ident-th form of an id."""
    return step("command", who, row(name, arguments), ident | oob << 3 | fd << 4 | first << 5 | timed << 7)


def event(name, part="", monitor=0):
    return step("event", monitor, next(i for i, (n, p) in enumerate(EVENTS) if n == name and part in p))


def connect(who):
    return step("connect", who)


def negotiate(who, oob=False):
    return step("negotiate", who | oob << 1)


def client_says(who, content, fd=False):
    return text("client_raw", who | fd << 1, content)


def leave(who, left=True, reset=False):
    return step("client_end", who | left << 1 | reset << 2)


def passes(ms):
    power = 0
    while ms >> 2 * power > 255:
        power += 1
    return step("pass", power, ms >> 2 * power)


def serve(times=1):
    return step("serve", times - 1)


def hold(steps):
    """Nothing settles between so many steps."""
    return step("hold", steps)


def qemu_answers(error=False, oob=False, monitor=0):
    return step("qemu_answers", monitor | error << 1 | oob << 2)


RETURN, ERROR, OTHER_ID, NO_ID, REFUSED_ID, TWICE, ODD, INFO = range(8)


def agent_answers(how=RETURN):
    return step("agent_answers", how)


def script(*steps, persist=False, tight=False, two=False, agent=True, monitor="dialled", abrupt=False, oob=True,
           tcp=False, named=True, dialled=False, warm=True, ask_oob=False, reads=0):
    proxy = persist | tight << 1 | two << 2 | (not agent) << 3 | abrupt << 6 | dialled << 7
    proxy |= ["dialled", "inherited", "comes"].index(monitor) << 4
    peers = (not oob) | tcp << 1 | (not named) << 2 | warm << 3 | ask_oob << 4 | reads << 5
    return bytes([proxy, peers]) + b"".join(steps)


# ---- Scripts -------------------------------------------------------------------------------------

COMES = step("qemu_comes", 6)  # and time passes until the proxy has met it
ENDS = step("qemu_goes")

SCRIPTS = {
    # Beginnings
    "begin-clients-first": script(connect(A), negotiate(A), connect(B), COMES, step("agent_comes", 2), serve(4),
                                  negotiate(B), command(A, "guest-ping"), serve(2), warm=False),
    "begin-step-by-step": script(COMES, step("qemu_shakes_hands"), connect(A), negotiate(A), qemu_answers(),
                                 qemu_answers(True), qemu_answers(), qemu_answers(), step("agent_comes", 2),
                                 step("agent_syncs"), agent_answers(INFO), warm=False),
    "begin-leaves-ungreeted": script(connect(A), client_says(A, '{"execute":'), leave(A), connect(B),
                                     leave(B, left=False), COMES, serve(3), warm=False),
    "begin-late-reply-first": script(step("qemu_comes", 2), text("qemu_raw", 0, '{"return": {}}'), COMES,
                                     text("qemu_raw", 0, '{"return": {}, "id": 1}'), serve(3), warm=False),
    "begin-no-greeting": script(step("qemu_comes", 2), text("qemu_raw", 0, '{"event": "X"}'), passes(1000), COMES,
                                serve(2), persist=True, warm=False),
    "begin-inherited": script(serve(3), connect(A), negotiate(A), command(A, "quit"), serve(), ENDS, warm=False,
                              monitor="inherited"),
    "begin-inherited-ends": script(step("qemu_goes", 2), connect(A), warm=False, monitor="inherited"),
    "begin-qemu-comes": script(command(A, "device_add"), serve(), ENDS, COMES, serve(3), persist=True,
                               monitor="comes"),
    "begin-too-slow": script(passes(130000), command(A, "quit"), connect(A), passes(125000), connect(B), COMES,
                             serve(3), passes(130000), warm=False),
    # Commands for QEMU
    "qemu-commands": script(*[command(A, "device_add", ident=i) + qemu_answers() for i in range(8)],
                            command(A, "migrate-pause", first=True, ident=3), qemu_answers(True), command(A, "quit"),
                            qemu_answers(), command(A, "\\\\u0064evice_del"), serve()),
    "qemu-both-clients": script(command(A, "device_add", ident=1), command(B, "device_add", ident=2),
                                command(A, "quit"), command(B, "quit"), qemu_answers(), qemu_answers(), qemu_answers(),
                                qemu_answers()),
    "qemu-same-words": script(command(A, "quit"), command(B, "quit"), qemu_answers(), qemu_answers(True)),
    "qemu-pipeline": script(hold(4), command(A, "device_add", ident=1), command(A, "device_add", ident=1),
                            command(A, "device_add", ident=1), command(A, "guest-ping"), serve(5)),
    "qemu-raw-values": script(command(A, "device_add"), text("qemu_answers_raw", 0, '[\n1.0, "\u00e9" ,{"a":{}} ]'),
                              command(A, "device_add"), text("qemu_answers_raw", 0, '{"a":1,"a":2}')),
    "qemu-raw-arguments": script(text("command_raw", A, b"\x00\x0f[1.50, 'x', {}]"), serve(),
                                 text("command_raw", B, b"\x00\x05nul\x01l"), serve()),
    "qemu-merged": script(command(A, "query-commands"), command(B, "query-qmp-schema"), qemu_answers(),
                          qemu_answers(True), command(B, "query-commands"), command(B, "query-qmp-schema"), serve(2),
                          command(A, "query-commands", "tag"), serve(), command(A, "qga-proxy-status", ident=1),
                          command(A, "qga-proxy-other")),
    "qemu-own-questions": script(command(A, "query-chardev"), command(B, "query-status"), serve(2)),
    "oob-overtakes": script(command(A, "device_add", ident=1), command(A, "device_add", ident=1, oob=True),
                            command(A, "device_add", ident=2, oob=True), qemu_answers(oob=True), qemu_answers(),
                            qemu_answers(oob=True), command(A, "guest-ping", oob=True, ident=1),
                            command(A, "qmp_capabilities", oob=True), serve(), ask_oob=True),
    "oob-read-ahead": script(*[command(A, "device_add", ident=1)] * 12, *[command(A, "quit", ident=1, oob=True)] * 3,
                             serve(8), serve(8), ask_oob=True),
    "oob-not-asked": script(command(A, "device_add", ident=1, oob=True), negotiate(A, True), serve()),
    "oob-unknown-id": script(command(A, "quit", ident=1, oob=True), text("qemu_raw", 0, '{"return": 1, "id": 7}'),
                             ask_oob=True, persist=True),
    "qemu-full": script(command(A, "guest-ping"), command(B, "device_add"), leave(A), connect(A), negotiate(A),
                        command(A, "device_add"), leave(A), connect(A), negotiate(A), command(A, "quit"), leave(B),
                        serve(8), tight=True, named=False),
    # Events
    "events": script(event("DEVICE_DELETED"), hold(2), command(A, "device_add"), event("DEVICE_DELETED"),
                     hold(2), event("DEVICE_DELETED"), qemu_answers(), hold(3), event("STOP"), event("RESUME"),
                     leave(B), event("DEVICE_DELETED")),
    "event-and-end": script(command(A, "quit"), hold(4), event("SHUTDOWN"), qemu_answers(), event("DEVICE_DELETED"),
                            ENDS),
    # Ends of QEMU
    "end-under-way": script(command(A, "device_add", ident=1), command(B, "guest-ping", ident=1), ENDS, passes(1000)),
    "end-persist": script(command(A, "device_add", ident=1), command(B, "guest-ping", ident=1), ENDS,
                          command(A, "quit"), command(B, "guest-fsfreeze-thaw"), serve(), COMES, serve(4),
                          command(A, "quit"), serve(), persist=True),
    "end-reset": script(command(A, "quit"), step("qemu_goes", 2), persist=True),
    "end-garbage": script(command(A, "quit", ident=1), text("qemu_raw", 0, '{"return": }'), serve(2), persist=True),
    "end-second-greeting": script(text("qemu_raw", 0, '{"QMP": {"version": {}, "capabilities": []}}'), persist=True),
    "end-lie": script(text("qemu_raw", 0, '{"return": {}}'), command(A, "quit"), serve(2), persist=True),
    "end-half-message": script(command(A, "quit"), text("qemu_raw", 0, '{"return": {"a"'), ENDS, persist=True),
    "end-slow-client": script(step("client_room", A, 0), command(A, "quit"), command(B, "quit"), qemu_answers(), ENDS,
                              passes(3000)),
    "end-abruptly": script(command(A, "device_add"), command(B, "guest-ping"), hold(7), command(A, "quit"),
                           client_says(B, '{"exec'), abrupt=True),
    # The agent
    "agent-answers": script(*[command(A, "guest-ping", ident=how) + agent_answers(how) for how in (RETURN, ERROR, ODD)],
                            command(A, "guest-file-read"), agent_answers(TWICE), command(B, "guest-info"),
                            agent_answers(INFO), command(B, "guest-sync-delimited"), agent_answers()),
    "agent-in-turn": script(command(A, "guest-exec"), command(B, "guest-fsfreeze-thaw"), agent_answers(),
                            agent_answers(), command(A, "guest-exec"), command(B, "guest-exec"), agent_answers(),
                            agent_answers()),
    "agent-other-id": script(command(A, "guest-ping"), agent_answers(OTHER_ID), agent_answers(NO_ID), passes(11000),
                             agent_answers(), step("agent_syncs"), command(A, "guest-ping"), agent_answers()),
    "agent-refuses-id": script(command(A, "guest-ping"), agent_answers(REFUSED_ID), agent_answers(),
                               command(A, "guest-exec"), agent_answers(ERROR)),
    "agent-is-old": script(step("agent_comes", 2), COMES, serve(1), step("agent_syncs", 2), step("agent_syncs"),
                           connect(A), negotiate(A), command(A, "guest-ping"), serve(3), warm=False),
    "agent-silent": script(hold(2), command(A, "guest-shutdown"), command(A, "guest-ping"), step("agent_syncs"),
                           agent_answers(), command(B, "guest-suspend-ram"), agent_answers(ERROR), serve(2)),
    "agent-silent-and-reset": script(command(A, "guest-shutdown"), event("SHUTDOWN"), event("RESET"), serve(3),
                                     command(A, "guest-suspend-ram"), event("SUSPEND"), command(B, "guest-ping"),
                                     event("WAKEUP"), serve(2)),
    "agent-reset": script(command(A, "guest-exec"), command(B, "guest-ping"), event("RESET"), serve(3)),
    "agent-paused": script(command(A, "guest-exec"), event("STOP"), command(B, "guest-ping"), passes(100000),
                           event("RESUME"), passes(50000), agent_answers(), serve()),
    "agent-port-closes": script(command(A, "guest-exec"), event("VSERPORT_CHANGE", "false"), command(B, "guest-ping"),
                                event("VSERPORT_CHANGE", "true"), serve(2), command(B, "guest-ping"),
                                event("VSERPORT_CHANGE", "true"), step("agent_syncs"), serve(2)),
    "agent-port-unnamed": script(command(A, "guest-ping"), qemu_answers(), agent_answers(), step("port"),
                                 command(A, "guest-ping"), qemu_answers(), step("port", 2), command(A, "guest-ping"),
                                 qemu_answers(), serve(3), named=False),
    "agent-garbage": script(command(A, "guest-ping"), text("agent_raw", 0, '{"return": nonsense}\n'), serve(2),
                            text("agent_raw", 0, '{"QMP": {}}{"event": "X", "timestamp": {}}[]'), serve()),
    "agent-half-message": script(command(A, "guest-ping"), text("agent_raw", 0, '{"return": {"a": "'), passes(11000),
                                 serve(2), command(A, "guest-ping"), serve()),
    "agent-raw-values": script(command(A, "guest-ping"), text("agent_answers_raw", 0, "{'\u00e9' :[1.0,\n'\\/']}"),
                               command(A, "guest-ping"), text("agent_answers_raw", 0, '"\\ud800"'), serve()),
    "agent-goes": script(command(A, "guest-exec"), command(B, "guest-ping"), step("agent_goes", 6), passes(2000),
                         command(A, "guest-ping"), step("agent_comes", 2), serve(3), command(A, "guest-ping"),
                         serve()),
    "agent-slow": script(step("agent_room", 0, 3), command(A, "guest-exec"), passes(61000), command(B, "guest-ping"),
                         step("agent_room", 0, 6), passes(9000), step("agent_room", 0, ALL), serve(3)),
    "agent-none": script(command(A, "guest-ping", ident=1), command(A, "quit"), serve(), agent=False),
    "agent-shared": script(command(A, "guest-exec"), leave(A), connect(A), negotiate(A),
                           command(A, "guest-get-osinfo", ident=1), command(B, "guest-get-osinfo", ident=2),
                           agent_answers(), agent_answers(), command(A, "guest-get-osinfo"), serve()),
    "agent-shared-leaver": script(command(A, "guest-exec"), leave(A), connect(A), negotiate(A),
                                  command(A, "guest-get-osinfo"), command(B, "guest-get-osinfo"), leave(A),
                                  agent_answers(), agent_answers()),
    "agent-shared-own-time": script(command(A, "guest-exec"), leave(A), connect(A), negotiate(A),
                                    command(A, "guest-get-osinfo", timed=True), command(B, "guest-get-osinfo"),
                                    agent_answers(), passes(4000), agent_answers(), serve()),
    "agent-cached": script(command(A, "guest-get-users"), serve(), command(B, "guest-get-users", ident=3), passes(1000),
                           command(A, "guest-get-users"), command(B, "guest-exec"), serve(),
                           command(A, "guest-get-users"), serve(), event("RESET"), command(A, "guest-get-users"),
                           serve(3)),
    "agent-timed": script(command(A, "device_add", timed=True), command(A, "guest-ping", timed=True), passes(4000),
                          serve(2), command(B, "guest-ping", timed=True), serve()),
    # Freezes
    "freeze-and-thaw": script(command(A, "guest-fsfreeze-freeze", ident=1), serve(), command(B, "guest-ping"),
                              command(B, "guest-fsfreeze-freeze"), command(B, "guest-fsfreeze-status"), serve(),
                              command(A, "qga-proxy-freeze-renew"), command(A, "guest-fsfreeze-thaw", "{}"), serve(2)),
    "freeze-lease": script(command(A, "guest-fsfreeze-freeze"), serve(), passes(300000), serve(3), passes(2000),
                           serve(2), command(A, "guest-fsfreeze-thaw", "tag"),
                           command(A, "guest-fsfreeze-thaw", "tag"), serve()),
    "freeze-owner-leaves": script(command(A, "qga-proxy-session-set"), command(A, "guest-fsfreeze-freeze"), serve(),
                                  leave(A), serve(3), connect(A), negotiate(A), command(A, "qga-proxy-session-set"),
                                  command(A, "guest-fsfreeze-freeze"), leave(A), serve(4)),
    "freeze-doubt": script(command(A, "guest-fsfreeze-freeze"), event("RESET"), serve(4), passes(1000), serve(2),
                           command(A, "guest-fsfreeze-freeze"), agent_answers(ERROR), serve(2),
                           command(B, "guest-fsfreeze-thaw", "tag"), agent_answers(OTHER_ID), passes(31000), serve(4)),
    "freeze-persist": script(command(A, "guest-fsfreeze-freeze"), serve(), ENDS, command(A, "guest-fsfreeze-thaw"),
                             step("agent_goes", 2), passes(1000), COMES, serve(6), persist=True),
    "freeze-on-record": script(command(A, "guest-fsfreeze-freeze"), passes(10), serve(),
                               command(A, "guest-fsfreeze-thaw", "tag"), serve(), hold(2),
                               command(A, "guest-fsfreeze-freeze"), leave(A), serve(2), passes(10), connect(A),
                               negotiate(A), command(A, "guest-fsfreeze-freeze"), passes(10), serve(2),
                               command(B, "guest-fsfreeze-freeze"), reads=6),
    "freeze-left-on-record": script(serve(4), command(A, "guest-fsfreeze-thaw", "tag"), serve(2), reads=7),
    "freeze-left-without-agent": script(event("RESET"), reads=7, agent=False),
    "freeze-held-at-end": script(command(A, "guest-fsfreeze-freeze"), ENDS, passes(10), step("agent_syncs"),
                                 passes(3000), reads=6),
    "freeze-sent-at-end": script(step("client_room", B, 0), command(B, "quit"), qemu_answers(),
                                 command(A, "guest-fsfreeze-freeze"), ENDS, passes(10)),
    "freeze-abruptly": script(command(A, "guest-fsfreeze-freeze"), serve(), passes(300000), abrupt=True),
    "wait-for-agent": script(command(A, "qga-proxy-wait-agent", "timeout"),
                             command(B, "qga-proxy-wait-agent", "states"),
                             command(A, "guest-fsfreeze-freeze"), serve(), event("VSERPORT_CHANGE", "false"),
                             hold(3), command(A, "qga-proxy-wait-agent", "timeout"), command(A, "guest-ping"),
                             command(B, "qga-proxy-wait-agent", "timeout"), leave(B), passes(20000),
                             event("VSERPORT_CHANGE", "true"), serve(4)),
    "wait-times-out": script(command(A, "qga-proxy-wait-agent", "states")),
    "wait-in-vain": script(event("STOP"), command(A, "qga-proxy-wait-agent", "timeout"),
                           command(B, "qga-proxy-wait-agent", "timeout"), leave(B, left=False), passes(31000), ENDS,
                           passes(3000)),
    "arguments-out-of-range": script(*[client_says(A, '{"execute":"qga-proxy-%s","arguments":{"%s":-1}}' % x) for x in (
        ("wait-agent", "timeout"), ("session-set", "timeout"), ("freeze-renew", "seconds"), ("status", "x"),
        ("wait-agent", "states"))]),
    # Clients
    "client-faults": script(client_says(A, '{"execute": tru}{"execute":"quit"}\n'), client_says(B, b'{"a"\xff"x"'),
                            client_says(A, '[]{"execute":1}{"exec-oob":"x","execute":"y"}{"id":7,"x":1}'), serve(2)),
    "client-halves": script(client_says(A, '{"execute":"qu'), client_says(B, '{"exec'), client_says(A, 'it"}'),
                            client_says(B, b"\xff"), serve(2)),
    "client-http": script(connect(A), COMES, serve(2), client_says(A, "POST / HTTP/1.1\r\n\r\n"), connect(B),
                          client_says(B, "GETx"), negotiate(B), warm=False),
    "client-early": script(COMES, serve(2), connect(A), command(A, "quit", ident=1), client_says(A, "[]"),
                           client_says(A, '{"execute":"qmp_capabilities","arguments":{"enable":["x"]}}'),
                           client_says(A, '{"execute":"qmp_capabilities","arguments":{"y":1}}'), negotiate(A, True),
                           negotiate(A), warm=False),
    "client-shuts": script(hold(4), command(A, "device_add"), command(A, "guest-ping"), leave(A, left=False),
                           serve(3), command(B, "quit", oob=True), leave(B, left=False), serve(2)),
    "client-leaves": script(command(A, "device_add"), hold(3), command(A, "guest-exec"), leave(A), connect(A),
                            negotiate(A), command(B, "guest-exec"), leave(B, reset=True), serve(3)),
    "client-leaves-queued": script(*[command(B, "guest-exec"), command(A, "guest-ping"), leave(A), connect(A)] * 2,
                                   serve(3)),
    "client-slow": script(step("client_room", A, 2), command(A, "device_add"), event("DEVICE_DELETED"), qemu_answers(),
                          step("client_room", A, 5), event("STOP"), event("RESUME"), step("client_room", A, ALL),
                          command(A, "quit"), serve()),
    "client-dropped": script(step("client_room", A, 0), *[event("DEVICE_DELETED")] * 70, command(B, "quit"), serve(),
                             tight=True),
    "client-held": script(step("client_room", A, 0), command(A, "device_add"), *[event("DEVICE_DELETED")] * 42,
                          qemu_answers(), command(A, "device_add"), serve(2), step("client_room", A, 60), serve(2),
                          step("client_room", A, ALL), serve(), tight=True),
    "client-too-large": script(client_says(A, '{"execute":"' + "x" * 230),
                               *[client_says(A, "x" * 255)] * 17, client_says(A, '"}'), serve(), tight=True),
    "tight-all": script(*[command(A, "device_add", ident=1), command(B, "device_add", ident=1)] * 3,
                        *[command(A, "device_add", ident=1, oob=True)] * 4, command(B, "guest-exec"),
                        command(A, "guest-exec", ident=2), serve(8), tight=True, ask_oob=True),
    "client-dialled": script(command(B, "device_add", ident=3), command(A, "guest-ping", ident=3), agent_answers(ODD),
                             command(B, "guest-ping", ident=3), event("DEVICE_DELETED"), agent_answers(ODD),
                             qemu_answers(), qemu_answers(True), command(B, "query-commands"), leave(B), passes(3000),
                             negotiate(B), command(B, "quit"), serve(2), dialled=True),
    "client-refused": script(leave(A), step("connect", 2), serve(), tight=True),
    "client-many-faults": script(hold(3), client_says(A, "[]" * 120), client_says(B, "[]" * 50), command(A, "quit"),
                                 serve(2)),
    "client-fault-ahead": script(hold(3), command(A, "quit"), client_says(A, "[}"), command(A, "quit", fd=True),
                                 serve(3), command(A, "quit"), command(A, "quit", fd=True), leave(A), ask_oob=True),
    # Descriptors
    "fds": script(command(A, "getfd", "f%u", fd=True), serve(), command(A, "getfd", "f%u"),
                  command(A, "getfd", '"f\\"}', fd=True), command(B, "getfd", '"f\\"}', fd=True), serve(),
                  command(B, "closefd"), command(A, "closefd"), serve(), command(A, "add-fd", "{}", fd=True),
                  command(B, "add-fd", "opaque", fd=True), serve(), command(A, "quit", fd=True), serve(),
                  command(A, "getfd", "tag", fd=True), serve()),
    "fds-left": script(command(A, "getfd", "f%u", fd=True), serve(), command(B, "getfd", '"f\\"}', fd=True), leave(A),
                       leave(B), serve(2), connect(A), negotiate(A), command(A, "getfd", '"f\\"}', fd=True), serve()),
    "fds-left-many": script(*(command(A, "getfd", "f%u", fd=True) + serve() for _ in range(30))),
    "fds-left-persist": script(command(A, "getfd", "f%u", fd=True), serve(), ENDS, leave(A), COMES, serve(4),
                               persist=True),
    "fds-slow-qemu": script(step("qemu_room", 0, 0), command(A, "add-fd", "{}", fd=True),
                            command(B, "add-fd", "opaque", fd=True), step("qemu_room", 0, 1), step("qemu_room", 0, 3),
                            leave(B), step("qemu_room", 0, ALL), serve(2)),
    "fds-raw": script(client_says(A, '{"execute":"getfd",', True), client_says(A, '"arguments":{"fdname":"f"}', True),
                      client_says(A, '}{"execute":"quit"}', True), serve(2), client_says(B, "{", True), leave(B),
                      client_says(A, "]", True)),
    "fds-tcp": script(command(A, "getfd", "f%u", fd=True), command(A, "add-fd"), serve(), tcp=True),
    # Several monitors
    "two-monitors": script(command(A, "device_add", ident=1), command(B, "device_add", ident=1), qemu_answers(),
                           qemu_answers(monitor=1), event("DEVICE_DELETED"), event("DEVICE_DELETED", monitor=1),
                           command(A, "query-commands"), serve(2), command(B, "query-commands"), serve(), two=True),
    "two-monitors-one-ends": script(command(A, "quit"), command(B, "quit"), step("qemu_goes", 0), serve(2),
                                    command(A, "guest-ping"), command(B, "guest-ping"), serve(3),
                                    step("qemu_goes", 1), serve(2), two=True),
    "two-monitors-persist": script(command(A, "quit"), command(B, "guest-exec"), step("qemu_goes", 0),
                                   command(A, "quit"), COMES, serve(4), step("qemu_goes", 1), serve(2), two=True,
                                   persist=True),
    # Cut input
    "cut-1": script(command(A, "device_add", ident=3), command(A, "guest-ping", ident=5), serve(2),
                    event("DEVICE_DELETED"), ENDS, reads=1),
    "cut-7": script(hold(5), command(A, "device_add", fd=True), command(A, "getfd", "f%u", fd=True),
                    command(B, "guest-exec"), event("STOP"), serve(4), reads=3),
}


# ---- Files ---------------------------------------------------------------------------------------


def is_found(path):
    return re.fullmatch("[0-9a-f]{40}", path.name) is not None


def main():
    check = sys.argv[1:2] == ["--check"]
    folder = Path(sys.argv[-1])
    present = {path.name: path.read_bytes() for path in folder.iterdir() if not is_found(path)}
    if check:
        wrong = sorted(name for name in present.keys() | SCRIPTS.keys() if present.get(name) != SCRIPTS.get(name))
        for name in wrong:
            print(f"{folder / name}: is not what this script says")
        sys.exit(1 if wrong else 0)
    for name in present:
        (folder / name).unlink()
    for name, content in SCRIPTS.items():
        (folder / name).write_bytes(content)


main()
