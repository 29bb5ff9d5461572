# SPDX-License-Identifier: GPL-2.0-or-later
"""The same random scripts are sent to QEMU and, through the proxy, to a second QEMU that is just the same. Nobody could
tell from the replies which is which.

$QGA_DIFFERENTIAL_SECONDS says for how long (40), $QGA_DIFFERENTIAL_SEED which scripts (1), $QGA_DIFFERENTIAL_FIRST with
which of them to begin (0)."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time
import unittest

import scripts
from bare import Bare
from harness import Closed, Proxy, Qmp, TimedOut

SECONDS = float(os.environ.get("QGA_DIFFERENTIAL_SECONDS") or 40)
SEED = os.environ.get("QGA_DIFFERENTIAL_SEED") or "1"
FIRST = int(os.environ.get("QGA_DIFFERENTIAL_FIRST") or 0)

# How long a failing script is cut down.
MINIMIZE_SECONDS = 60

# A byte 0xFF ends what a script has left open. The answer to this comes behind all others.
END = "the end"
ENDING = b'\n\xff{"execute": "query-name", "id": "%s"}' % END.encode()

NOT_AN_OBJECT = {"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}
PARSE_ERROR = "parse error"


def numbers_alike(value):
    """An id with its numbers as doubles: QEMU writes them in its own way, which is no more exact."""
    if isinstance(value, list):
        return [numbers_alike(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers_alike(item) for key, item in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value


def is_parse_error(message):
    return set(message) == {"error"} and re.match("JSON |Invalid JSON", message["error"]["desc"]) is not None


def normal(message, exact):
    """What must be the same of a message, as text, since in Python 1 == True."""
    message = dict(message)
    if "id" in message:
        message["id"] = numbers_alike(message["id"])
    if "event" in message:
        del message["timestamp"]
    if "error" in message:
        # QEMU's name for an element of that list varies with its version.
        message["error"] = {**message["error"], "desc": re.sub(
            "(?<=^Parameter ')(null|enable)(?=' does not accept value)|"
            "(?<=^Invalid parameter type for ')(null|enable)(?=', expected: string)", "enable",
            message["error"]["desc"])}
        if not exact and message["error"]["desc"].startswith("QMP input "):
            # Which of several faults is told is decided by a hash.
            message["error"]["desc"] = "QMP input is wrong"
    return json.dumps(message, sort_keys=True)


# How often a script is tried of which QEMU dies: of some it does so every other time.
ATTEMPTS = 20


def is_out_of_band(message):
    return str(message.get("id")).startswith("oob ")


def comparable(messages, exact):
    """Replies and events in their order, and apart from them those out of band, which have none. Broken input, with
    what is left of it to be read as something else, may be told once or many times."""
    in_order = []
    run = []

    def end_of_run():
        in_order.extend([PARSE_ERROR] if PARSE_ERROR in run else run)
        run.clear()

    for message in messages:
        if is_parse_error(message):
            run.append(PARSE_ERROR)
        elif message == NOT_AN_OBJECT:
            run.append(normal(message, exact))
        elif not is_out_of_band(message):
            end_of_run()
            in_order.append(normal(message, exact))
    end_of_run()
    return in_order, sorted(normal(message, exact) for message in messages if is_out_of_band(message))


class Pair:
    """Two QEMUs, of which one is behind the proxy; started anew where a script has hung one."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.deaths = 0  # of a QEMU

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stack.__exit__(*exception)

    def start(self):
        self.stack.close()
        self.direct = self.stack.enter_context(Bare(0))
        self.behind = self.stack.enter_context(Bare(0))
        self.proxy = self.stack.enter_context(Proxy(self.behind))

    def is_qemu_dead(self):
        """Whether one of the two has aborted. QEMU 7.2 does so by itself, about once in 300 times when out-of-band is
        on and a script ends in broken input; without the proxy, that is, which passes none of it on. A QEMU that hung
        up and lives has not."""
        for qemu in self.direct, self.behind:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return qemu.process.wait(2) == -signal.SIGABRT
        return False

    def answers(self, script, exact, timeout):
        """Of both, comparable; what they said before they fell silent or hung up, if they did."""
        ends = []
        with (Qmp.connect(self.direct.qmp_path, "QEMU") as direct, self.proxy.connect(name="the proxy") as proxied):
            for qmp in direct, proxied:
                for piece in (*script, ENDING):
                    qmp.send(piece, timeout=timeout)
            for qmp in direct, proxied:
                messages = []
                try:
                    while not messages or messages[-1].get("id") != END:
                        messages.append(qmp.read_message(timeout))
                except (TimedOut, Closed, ValueError) as error:
                    messages.append({"trouble": type(error).__name__})
                ends.append(messages)
        answers = [comparable(messages, exact) for messages in ends]
        if any("trouble" in messages[-1] for messages in ends):
            self.deaths += self.is_qemu_dead()
            self.start()
        return answers

    def living_answers(self, script, exact, timeout=30):
        for _ in range(ATTEMPTS):
            deaths = self.deaths
            answers = self.answers(script, exact, timeout)
            if self.deaths == deaths:
                break
        return answers


def minimized(script, fails):
    """The script without whatever it can do without, first by pieces and then by bytes."""
    deadline = time.monotonic() + MINIMIZE_SECONDS

    def smaller(parts, join):
        step = max(1, len(parts) // 2)
        while True:
            at = 0
            while at < len(parts):
                if time.monotonic() > deadline:
                    return parts
                shorter = parts[:at] + parts[at + step:]
                if shorter and fails(join(shorter)):
                    parts = shorter
                else:
                    at += step
            if step == 1:
                return parts
            step //= 2

    pieces = smaller(script, lambda parts: parts)
    text = b"".join(pieces)
    return bytes(smaller(list(text), lambda parts: [bytes(parts)])) if fails([text]) else text


class Differential(unittest.TestCase):
    deadline = SECONDS + MINIMIZE_SECONDS + 120

    def test_same_replies(self):
        with Pair() as pair:
            began = time.monotonic()
            number = FIRST
            while (elapsed := time.monotonic() - began) < SECONDS:
                # Every other one is JSON throughout, with one fault at a time: there the words are known.
                exact = number % 2 == 0
                script = scripts.script(random.Random(f"{SEED}/{number}"), broken=not exact)
                direct, proxied = pair.living_answers(script, exact)
                if direct != proxied:
                    self.report(pair, number, script, exact, direct, proxied)
                number += 1
        print(f"{number - FIRST} scripts in {elapsed:.0f} s, seed {SEED}, the first is {FIRST}; "
              f"QEMU aborted {pair.deaths} times")

    def report(self, pair, number, script, exact, direct, proxied):
        def fails(script):
            direct, proxied = pair.living_answers(script, exact, 2)
            return direct != proxied

        remark = "which in a second run made no difference"
        if fails(script):
            script, remark = [minimized(script, fails)], "cut down"
            direct, proxied = pair.living_answers(script, exact, 2)
        self.fail(f"script {number} of seed {SEED}, {remark}: {b''.join(script)!r}\n"
                  f"QEMU said: {direct}\nthe proxy: {proxied}")
