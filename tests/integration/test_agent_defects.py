# SPDX-License-Identifier: GPL-2.0-or-later
"""Defects of qemu-ga that ours does not have. Each is shown by both, in one guest, by the same steps: Debian 12's agent
has the symptom, and ours has not. What came later than its version, 7.2, or went before it, is shown for ours alone,
and said.

Others have tests of their own: that a freeze has a deadline and its hooks come in pairs in test_agent.py, what is told
of users, interfaces, routes and mounts in test_agent_answers.py and test_agent_system.py, links in homes there too."""

import base64
import unittest

from agent_process import PATHS, AgentProcess
from harness import AgentError, Guest, TimedOut

OURS, THEIRS = "qga-agent", "qemu-ga"
PROGRAMS = (OURS, THEIRS)

SECRET = "hunter2"

# Ticks of a processor in two seconds, of which there are 200 if the machine has nothing else to do.
SPINNING = 20

PING = '{"execute": "guest-ping"}'
PONG = '{"return": {}}\n'

SYSLOG = "/run/syslog"


class Defects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(method="none"))
        cls.guest.shell(f"syslogd -O {SYSLOG}; mount -t debugfs none /sys/kernel/debug || :")

    def each(self, method="virtio-serial", **options):
        """Both agents, one after the other."""
        for program in PROGRAMS:
            agent = AgentProcess(self.guest, program, method, **options)
            try:
                yield agent, program == OURS
            finally:
                agent.kill()

    def connect(self, method="virtio-serial"):
        """A host, to be used by with."""
        host = self.guest.connect_agent(method)
        host.sync()
        return host

    def ended(self, host, pid):
        """What guest-exec-status says when it has ended; it is asked once a moment."""
        while not (status := host.execute("guest-exec-status", {"pid": pid}))["exited"]:
            self.guest.shell("usleep 50000")
        return status

    def run_program(self, host, path, *arg, **more):
        """Its end."""
        return self.ended(host, host.execute("guest-exec", {"path": path, "arg": arg, **more})["pid"])

    def put(self, path, script):
        """A program that the guest has from now on."""
        text = base64.b64encode(f"#!/bin/sh\n{script}\n".encode()).decode()
        self.guest.shell(f"mkdir -p $(dirname {path}); rm -f {path}; echo {text} | base64 -d > {path}; chmod +x {path}")

    # A. One captured stream closed the agent's standard input. Since 8.0, which has such modes.

    def test_one_captured_stream(self):
        self.put("/usr/sbin/chpasswd", "cat > /run/chpasswd.input")
        for agent, ours in self.each():
            with self.connect() as host:
                if not ours:
                    with self.assertRaisesRegex(AgentError, "Invalid parameter type for 'capture-output'"):
                        host.execute("guest-exec", {"path": "true", "capture-output": "stdout"})
                    continue
                for mode in ("stdout", "stderr") * 3:
                    status = self.run_program(host, "sh", "-c", "cat; cat >&2", **{
                        "capture-output": mode, "input-data": base64.b64encode(b"input").decode()})
                    self.assertEqual(status["exitcode"], 0)
                    if mode == "stdout":
                        self.assertEqual(base64.b64decode(status["out-data"]), b"input")
                self.guest.shell(f"[ -e /proc/{agent.pid}/fd/0 ]")
                host.execute("guest-set-user-password", {"username": "root", "password": "YQ==", "crypted": False})
                self.assertEqual(self.guest.shell("cat /run/chpasswd.input"), "root:a")

    # B. Without both files of routes the agent aborted. Since 9.1, which has the command.

    def test_no_routes(self):
        for agent, ours in self.each():
            self.guest.shell(f"mkdir -p /run/empty; mount --bind /run/empty /proc/{agent.pid}/net")
            with self.connect() as host:
                with self.assertRaises(AgentError) as caught:
                    host.execute("guest-network-get-route")
                self.assertEqual(caught.exception.error_class, "GenericError" if ours else "CommandNotFound")
                self.assertEqual(host.execute("guest-ping"), {})
            self.guest.shell(f"umount /proc/{agent.pid}/net")

    # C. A host that does not read costs a processor, and the agent does not end.

    def ticks(self, agent):
        return int(self.guest.shell(f"awk '{{ print $14 + $15 }}' /proc/{agent.pid}/stat"))

    def test_host_that_does_not_read(self):
        for agent, ours in self.each():
            with self.connect() as host:
                with self.assertRaises(TimedOut):
                    host.send(b'{"execute": "guest-info"}' * 100000, timeout=5)
                if ours:
                    agent.wait_asleep()
                    self.assertEqual(agent.terminate(), 0)
                    continue
                before = self.ticks(agent)
                self.guest.shell("sleep 2")
                self.assertGreater(self.ticks(agent) - before, SPINNING)
                with self.assertRaises(TimedOut):
                    agent.terminate(timeout=3)

    # D. A client that leaves with an unread reply ends the agent.

    def say(self, text, leave=False):
        """What is answered to a client on a unix socket in the guest."""
        how = "leave" if leave else ""
        return self.guest.run(f"printf '%s' '{text}' | timeout 20 unix-client /run/agent.sock {how}")

    def test_client_that_leaves(self):
        for agent, ours in self.each("unix-listen", path="/run/agent.sock"):
            self.assertEqual(self.say(PING), (0, PONG))
            self.assertEqual(self.say(PING, leave=True), (0, ""))
            if ours:
                self.assertEqual(self.say(PING), (0, PONG))
                self.assertFalse(agent.done())
            else:
                self.assertEqual(agent.task.wait()[0], 0)

    # E. Behind the end of a serial line the agent is deaf.

    def test_line_that_was_hung_up(self):
        for agent, ours in self.each("isa-serial"):
            with self.connect("isa-serial") as host:
                self.guest.shell(f"setsid -c sh -c : < {PATHS['isa-serial']}")
                if ours:
                    host.sync()
                    continue
                with self.assertRaises(TimedOut):
                    host.sync(timeout=5)
                self.assertFalse(agent.done())

    # F. While no host is there the agent wakes up all the time, and sleeps when it should read what programs print.

    def test_no_host(self):
        for agent, ours in self.each():
            self.connect().close()
            if ours:
                agent.wait_asleep()
                continue
            with self.assertRaises(TimedOut):
                agent.wait_asleep(seconds=1, timeout=5)

    def test_output_without_a_host(self):
        """A program that prints more than a pipe holds ends when the agent has read the rest."""
        for agent, ours in self.each():
            self.guest.shell("rm -f /run/printed")
            with self.connect() as host:
                host.execute("guest-exec", {
                    "path": "sh", "arg": ["-c", "usleep 500000; head -c 400000 /dev/zero; : > /run/printed"],
                    "capture-output": True})
            if ours:
                self.guest.wait_until("[ -e /run/printed ]")
                continue
            self.guest.shell("sleep 3")  # it takes 8
            self.guest.shell("! [ -e /run/printed ]")

    # I. What was read of a pipe before it ran dry is lost.

    def test_pipe(self):
        for _, ours in self.each():
            self.guest.shell("cd /run; rm -f fifo go over first second; mkfifo fifo go over")
            writer = self.guest.spawn("cd /run; exec 3<> fifo; echo abc >&3; : > first; read line < go; echo def >&3;"
                                      " : > second; read line < over")
            self.guest.wait_until("[ -e /run/first ]")
            with self.connect() as host:
                handle = host.execute("guest-file-open", {"path": "/run/fifo"})

                def read():
                    try:
                        return base64.b64decode(host.execute("guest-file-read", {"handle": handle})["buf-b64"])
                    except AgentError as error:
                        self.assertEqual(error.desc, "failed to read file: Resource temporarily unavailable")
                        return None

                got = [read(), read()]
                self.guest.shell("echo > /run/go")
                self.guest.wait_until("[ -e /run/second ]")
                got += [read(), read()]
            self.guest.shell("echo > /run/over")
            writer.wait()
            if ours:
                self.assertEqual(got, [b"abc\n", None, b"def\n", None])
            else:
                self.assertNotIn(b"abc\n", got)

    # J. A program that has ended has not, while another that it left behind holds its output.

    def test_descendant_that_holds_the_output(self):
        for _, ours in self.each():
            with self.connect() as host:
                pid = host.execute("guest-exec", {"path": "sh", "arg": ["-c", "sleep 1000 & echo $!"],
                                                  "capture-output": True})["pid"]
                # It is dead, or at most to be reaped.
                self.guest.wait_until(f"! grep -q '^State:.[^Z]' /proc/{pid}/status 2> /dev/null")
                if ours:
                    status = self.ended(host, pid)
                    child = base64.b64decode(status.pop("out-data")).decode().strip()
                    self.assertEqual(status, {"exited": True, "exitcode": 0,
                                              "out-truncated": True, "err-truncated": True})
                    self.guest.shell(f"kill {child}")
                    continue
                self.guest.shell("sleep 1")
                self.assertEqual(host.execute("guest-exec-status", {"pid": pid}), {"exited": False})
                self.guest.shell("killall sleep")

    # K. The number of a program that ended, and was not asked about, is given to another, whose end is never told.

    def test_number_that_is_used_again(self):
        self.guest.shell("[ -e /proc/sys/kernel/ns_last_pid ]")
        for _, ours in self.each():
            with self.connect() as host:
                first = host.execute("guest-exec", {"path": "sh", "arg": ["-c", "exit 7"]})["pid"]
                self.guest.wait_until(f"! grep -q '^State:.[^Z]' /proc/{first}/status 2> /dev/null")
                number = self.exec_as(host, first)
                if ours:
                    self.assertNotEqual(number, first)
                    self.assertEqual(self.ended(host, number)["exitcode"], 9)
                    self.assertEqual(self.ended(host, first)["exitcode"], 7)
                else:
                    self.assertEqual(number, first)
                    self.assertEqual(self.ended(host, number)["exitcode"], 7)

    def exec_as(self, host, number):
        """A program that is given this number, if it is free, before anybody else is."""
        self.put("/run/aim", f"while :; do echo {number - 1} > /proc/sys/kernel/ns_last_pid; done")
        # No process may begin meanwhile: what aims is a loop of builtins.
        aim = self.guest.spawn("exec /run/aim")
        try:
            for _ in range(50):
                last = host.execute("guest-exec", {"path": "sh", "arg": ["-c", "exit 9"]})["pid"]
                if last == number:
                    break
        finally:
            self.guest.shell(f"kill -KILL $(cat /run/control/{aim.number}.session)")
            aim.wait()
        return last

    # L. Secrets in the log, and pings.

    def test_log(self):
        self.put("/usr/sbin/chpasswd", "cat > /dev/null")
        encoded = base64.b64encode(SECRET.encode()).decode()
        for agent, ours in self.each():
            self.guest.shell(f"> {SYSLOG}")
            with self.connect() as host:
                host.execute("guest-ping")
                self.run_program(host, "true", SECRET)
                host.execute("guest-set-user-password", {"username": "root", "password": encoded, "crypted": False})
            found = {name: self.guest.run(f"grep -c {words} {path}")[1].strip() != "0"
                     for name, words, path in (("ping", "guest-ping", SYSLOG), ("argument", SECRET, SYSLOG),
                                               ("password", encoded, agent.log))}
            self.assertEqual(found, dict.fromkeys(("ping", "argument", "password"), not ours))
            self.assertIn("guest-exec called", self.guest.shell(f"cat {SYSLOG}"))

    def test_syslog_that_does_not_read(self):
        """Ours does not wait for it."""
        syslogd = self.guest.shell("pidof syslogd")
        self.guest.shell(f"kill -STOP {syslogd}")
        self.addCleanup(self.guest.shell, f"kill -CONT {syslogd}")
        for _, ours in self.each():
            with self.connect() as host:
                for number in range(50):
                    host.send_command("guest-exec", {"path": "/nowhere"}, id=number)
                if not ours:
                    with self.assertRaises(TimedOut):
                        [host.read_message(5) for _ in range(50)]
                    continue
                self.assertEqual([host.read_message(30)["id"] for _ in range(50)], list(range(50)))

    # M. Half a request of one client is continued by the next.

    def test_half_a_request(self):
        for _, ours in self.each("unix-listen", path="/run/agent.sock"):
            self.assertEqual(self.say(PING + '{"execute": "guest-pi'), (0, PONG))
            status, answer = self.say(PING)
            self.assertEqual((status, answer == PONG), (0, ours), answer)

    def test_half_a_request_on_a_port(self):
        for agent, ours in self.each():
            host = self.connect()
            host.send(b'{"execute": "guest-pi')
            host.close()
            if ours:
                agent.wait_log("the connection ends")
            else:
                self.guest.shell("sleep 1")
            with self.guest.connect_agent() as host:
                host.send_command("guest-ping")
                reply = host.read_message(30)
                self.assertEqual("return" in reply, ours, reply)

    # N. Words.

    def test_words(self):
        for _, ours in self.each():
            with self.connect() as host:
                with self.assertRaises(AgentError) as caught:
                    host.execute("guest-shutdown", {"mode": "nonsense"})
                self.assertEqual(caught.exception.desc, "mode is invalid (valid values are: halt|powerdown|reboot"
                                 + (")" if ours else ""))
                with self.assertRaises(AgentError) as caught:
                    host.execute("guest-exec-status", {"pid": 4194305})
                # "PID ld does not exist" since 8.2.
                self.assertEqual(caught.exception.desc,
                                 "PID 4194305 does not exist" if ours else "Invalid parameter 'pid'")
                self.guest.shell(f"> {SYSLOG}")
                handle = host.execute("guest-file-open", {"path": "/run"})
                with self.assertRaisesRegex(AgentError, "failed to read file: Is a directory"):
                    host.execute("guest-file-read", {"handle": handle})
                self.assertEqual("guest-file-write failed" in self.guest.shell(f"cat {SYSLOG}"), not ours)

    # Tools that are not in /sbin.

    def test_tool_elsewhere(self):
        self.guest.shell("mv /sbin/poweroff /sbin/poweroff.hidden")
        self.addCleanup(self.guest.shell, "mv /sbin/poweroff.hidden /sbin/poweroff")
        self.put("/usr/bin/poweroff", ": > /run/powered-off")
        self.addCleanup(self.guest.shell, "rm /usr/bin/poweroff")
        for _, ours in self.each():
            self.guest.shell("rm -f /run/powered-off")
            with self.connect() as host:
                if ours:
                    host.send_command("guest-shutdown")
                    self.guest.wait_until("[ -e /run/powered-off ]")
                    continue
                with self.assertRaisesRegex(AgentError, "child process has failed to shutdown"):
                    host.execute("guest-shutdown")
