# SPDX-License-Identifier: GPL-2.0-or-later
"""qga-qemu: the command line that QEMU was to have, with real QEMU."""

import collections
import concurrent.futures
import itertools
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from harness import Qmp, QmpError, wait_until
from harness.image import SOURCE, program
from harness.launcher import CHANNEL, MACHINE, QGA_QEMU, Launched, LaunchedGuest, Place
from harness.proxy import free_port
from harness.stream import wait_readable
from running_program import RunningProgram

AT_ONCE = 10
EXAMPLES = SOURCE / "examples"


class LauncherCase(unittest.TestCase):
    def setUp(self):
        self.place = self.enterContext(Place())

    def launch(self, *arguments, **more):
        return self.enterContext(Launched(self.place, *arguments, **more))

    def check_serves(self, client, agent="closed"):
        """Both kinds of command are known."""
        self.assertIn("running", client.command("query-status"))
        with self.assertRaisesRegex(QmpError, "guest-ping was not sent"):
            client.command("guest-ping")
        self.assertEqual(client.command("qga-proxy-status")["agent"]["state"], agent)


class Line(LauncherCase):
    def test_historical(self):
        """The line as it was promised: QEMU waits for its first client, and there may be many."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server")
        machine.wait_said("QEMU waiting for connection on")
        first = self.enterContext(machine.client())
        self.check_serves(first)
        clients = [self.enterContext(machine.client()) for _ in range(20)]
        for client in clients:
            client.send_command("query-name", id="all at once")
        for client in clients:
            self.assertEqual(client.read_reply(AT_ONCE), {"return": {}, "id": "all at once"})
        self.assertEqual(Path(f"/proc/{machine.process.pid}/comm").read_text(), "qemu-system-x86\n")
        self.assertEqual([chardev["label"] for chardev in first.command("query-chardev") if chardev["label"] == "qga0"],
                         ["qga0"])
        first.command("quit")
        self.assertEqual(machine.wait_exit(), 0)
        for client in clients:
            self.assertIn(b'"SHUTDOWN"', client.read_to_end(AT_ONCE))
        self.place.wait_nothing_left()

    def test_port_is_told(self):
        """The port without id= has got one, so that its state is known without asking."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait", "-S")
        client = self.enterContext(machine.client())
        devices = client.execute("qom-list", {"path": "/machine/peripheral"})
        self.assertIn("qga-proxy-port", [device["name"] for device in devices])
        self.assertEqual(client.command("query-status")["status"], "prelaunch")

    def test_many_monitors(self):
        """Each monitor that was asked for is served, in each form."""
        folder = self.place.folder
        listening = self.enterContext(socket.create_server(("localhost", 0)))
        machine = self.launch(
            *MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server=on,wait=off",
            "-qmp-pretty", f"unix:{folder}/pretty,server=on,wait=off",
            "-chardev", f"socket,id=m,path={folder}/mon,server=on,wait=off", "-mon", "chardev=m,mode=control",
            "-chardev", f"socket,id=fd,fd={listening.fileno()},server=on,wait=off", "-mon", "fd,mode=control",
            pass_fds=[listening.fileno()])
        for address in None, f"{folder}/mon", listening.getsockname():
            self.check_serves(self.enterContext(machine.client(address)))
        pretty = self.enterContext(machine.connect(f"{folder}/pretty"))
        self.assertEqual(pretty.read_line(AT_ONCE), b"{\r")
        with machine.client() as client:
            self.assertEqual(client.command("qga-proxy-status")["qemu"], client.command("qga-proxy-status")["qemu"] |
                             {"monitors": 4, "monitors-connected": 4})

    def test_dials(self):
        """-qmp without server connects, once there is somebody."""
        with socket.create_server(("localhost", 0)) as server:
            machine = self.launch(*MACHINE, *CHANNEL, "-qmp", f"tcp:localhost:{server.getsockname()[1]}",
                                  "-qmp", "tcp:localhost:{port},server,nowait")
            server.settimeout(AT_ONCE)
            sock, _ = server.accept()
        with Qmp(sock).negotiate() as client:
            self.check_serves(client)
        self.assertIsNone(machine.process.poll())

    def test_config_and_json(self):
        """What stands in a file for -readconfig, and devices in JSON."""
        config = self.place.folder / "vm.cfg"
        config.write_text('[chardev "qga0"]\n  backend = "qga_proxy"\n[device "serial0"]\n  driver = "virtio-serial"\n'
                          f'[chardev "m"]\n  backend = "socket"\n  path = "{self.place.folder}/mon"\n  server = "on"\n'
                          '  wait = "off"\n[mon "monitor"]\n  chardev = "m"\n  mode = "control"\n')
        machine = self.launch(*MACHINE, "-readconfig", str(config), "-device", json.dumps(
            {"driver": "virtserialport", "chardev": "qga0", "name": "org.qemu.guest_agent.0"}))
        self.check_serves(self.enterContext(machine.client(f"{self.place.folder}/mon")))

    def test_agent_socket(self):
        """A socket that is the agent's by the name of its port: its own clients are served, and guest commands are on
        the monitor."""
        path = f"{self.place.folder}/agent"
        machine = self.launch(
            *MACHINE, "-chardev", f"socket,id=c0,path={path},server=on,wait=off", "-device", "virtio-serial", "-device",
            "virtserialport,chardev=c0,id=channel0,name=org.qemu.guest_agent.0", "-qmp", "tcp:localhost:{port},server")
        self.check_serves(self.enterContext(machine.client()))
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(path)

    def test_cage(self):
        """QEMU locks itself in."""
        self.check_caged("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")

    @unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")
    def test_user(self):
        """QEMU gives up its user."""
        self.check_caged("-sandbox", "on,spawn=deny", "-runas", "nobody")

    def check_caged(self, *arguments):
        machine = self.launch(*MACHINE, *CHANNEL, *arguments, "-qmp", "tcp:localhost:{port},server")
        client = self.enterContext(machine.client())
        self.check_serves(client)
        client.command("quit")
        self.assertEqual(machine.wait_exit(), 0)
        self.place.wait_nothing_left()


class Life(LauncherCase):
    def start(self):
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait")
        client = self.enterContext(machine.client())
        self.wait_idle(client)
        return machine, client

    def wait_idle(self, client):
        """Until the proxy has asked QEMU all that it asks at first. QEMU 7.2 that gets a signal before it has come to
        the commands that wait for it may never end: with six of them on a socket of its own, 3 of 60 did not."""
        client.command("query-status")
        wait_until(lambda: client.command("qga-proxy-status")["monitors"][0]["in-flight"] == 0, "an idle monitor")

    def test_status(self):
        """QEMU's exit status is the caller's."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait", "-no-such-option")
        self.assertEqual(machine.wait_exit(), 1)
        self.assertIn("no-such-option: invalid option", machine.said())
        self.place.wait_nothing_left()

    def test_terminated(self):
        machine, client = self.start()
        machine.process.terminate()
        self.assertEqual(machine.wait_exit(), 0)
        self.assertIn(b'"host-signal"', client.read_to_end(AT_ONCE))
        self.place.wait_nothing_left()

    def test_killed(self):
        machine, client = self.start()
        machine.process.kill()
        self.assertEqual(machine.wait_exit(), -signal.SIGKILL)
        client.read_to_end(AT_ONCE)
        self.place.wait_nothing_left()

    def test_killed_waiting(self):
        """QEMU ends before its first client: so does the proxy, which never saw it."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server")
        machine.wait_said("QEMU waiting for connection on")
        machine.process.kill()
        machine.wait_exit()
        self.place.wait_nothing_left()

    def test_terminal(self):
        """Ctrl-C on a terminal is QEMU's, and the last word is too."""
        pid, terminal = pty.fork()
        if pid == 0:
            command = self.place.command(*MACHINE, *CHANNEL, "-qmp", f"unix:{self.place.folder}/qmp,server")
            os.execve(program(QGA_QEMU), command, self.place.environment)
        try:
            output = b""
            while b"QEMU waiting" not in output:
                wait_readable(terminal, AT_ONCE, "QEMU")
                output += os.read(terminal, 4096)
            with Qmp.connect(f"{self.place.folder}/qmp", "a client").negotiate() as client:
                self.wait_idle(client)
                os.write(terminal, b"\x03")
                self.assertIn(b'"host-signal"', client.read_to_end(AT_ONCE))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        finally:
            os.close(terminal)
        self.place.wait_nothing_left()

    def test_daemonize(self):
        """The caller goes on, with all pipes closed, once QEMU is up; QEMU's process id is in its file."""
        pid_file = self.place.folder / "pid"
        status, output, error = self.place.run(*self.place.command(
            *MACHINE, *CHANNEL, "-qmp", f"unix:{self.place.folder}/qmp,server,nowait", "-daemonize", "-pidfile",
            str(pid_file)))
        self.assertEqual((status, output, error), (0, "", ""))
        qemu = int(pid_file.read_text())
        with Qmp.connect(f"{self.place.folder}/qmp", "a client").negotiate() as client:
            self.check_serves(client)
            self.wait_idle(client)
            os.kill(qemu, signal.SIGTERM)
            client.read_to_end(AT_ONCE)
        self.place.wait_nothing_left()

    def test_worker_lost(self):
        """A proxy that is killed is started anew, and QEMU runs on."""
        machine, client = self.start()
        client.command("stop")
        for _ in range(3):
            worker = self.place.worker()
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda gone=worker: self.place.processes("qga-proxyd") not in ([], [gone]), "the next proxy")
            with machine.client() as other:
                self.check_serves(other, "paused")
                self.assertEqual(other.command("query-status")["status"], "paused")
        machine.process.terminate()
        self.assertEqual(machine.wait_exit(), 0)
        self.place.wait_nothing_left()


class Killed(LauncherCase):
    """The proxy is killed, again and again, and nobody is disconnected."""

    CLIENTS = 6
    KILLS = 25
    CROWD_KILLS = 2

    def ask(self, client, name, ended, tally):
        """Commands one after the other: each is answered once, under its id, or fails."""
        for number in itertools.count():
            if ended.is_set():
                return
            asked = f"{name}-{number}"
            client.send_command(("query-name", "guest-ping", "qga-proxy-status")[number % 3], id=asked)
            reply = client.read_reply(AT_ONCE)
            self.assertEqual(reply.get("id"), asked)
            tally["outcome is unknown" in reply.get("error", {}).get("desc", "")] += 1

    def pipeline(self, client, name, ended, tally):
        """Many at a time, cut anywhere: each is answered once, in order."""
        for number in itertools.count():
            if ended.is_set():
                return
            text = b"".join(b'{"execute": "query-name", "id": "%s-%d-%d"}' % (name.encode(), number, n)
                            for n in range(9))
            at = number % len(text)
            client.send(text[:at])
            client.send(text[at:])
            for n in range(9):
                reply = client.read_reply(AT_ONCE)
                self.assertEqual(reply.get("id"), f"{name}-{number}-{n}")
                tally["error" in reply] += 1

    def test_under_load(self):
        path = f"{self.place.folder}/qmp"
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait", "-qmp",
                              f"unix:{path},server,nowait")
        ended = threading.Event()
        tally = collections.Counter()
        idle = [self.enterContext(machine.client(address)) for address in (None, path)]
        half = self.enterContext(machine.client())
        half.send(b'{"execute": "query-na')
        jobs = [(job, self.enterContext(machine.client(address)), f"{job.__name__} {address} {number}")
                for job in (self.ask, self.pipeline) for address in (None, path) for number in range(self.CLIENTS // 2)]
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as threads:
            try:
                running = [threads.submit(*job, ended, tally) for job in jobs]
                worker = None
                for _ in range(self.KILLS):
                    before = tally.total()
                    worker = self.place.worker(worker)
                    os.kill(worker, signal.SIGKILL)
                    wait_until(lambda before=before: tally.total() > before + len(jobs) or
                               any(job.done() for job in running), "answers")
            finally:
                ended.set()
            for job in running:
                job.result()
        self.assertGreater(tally[False], self.KILLS * len(jobs))
        for client in idle:
            self.assertEqual(client.command("query-name"), {})
        half.send(b'me", "id": 1}')
        self.assertEqual(half.read_reply(AT_ONCE), {"return": {}, "id": 1})
        self.assertEqual(idle[0].command("qga-proxy-status")["clients"], len(jobs) + 3)
        machine.process.terminate()
        self.assertEqual(machine.wait_exit(), 0)
        self.place.wait_nothing_left()

    def check_crowd(self, count, limit):
        """All of so many clients stay, with this limit to the descriptors of each process, soft or soft:hard."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait", command=[
            "prlimit", f"--nofile={limit}", program(QGA_QEMU), "qemu-system-x86_64"])
        clients = [self.enterContext(machine.client()) for _ in range(count)]
        worker = self.place.worker()
        for kill in range(self.CROWD_KILLS):
            os.kill(worker, signal.SIGKILL)
            worker = self.place.worker(worker)
            for number, client in enumerate(clients):
                client.send_command("query-name", id=[kill, number])
            for number, client in enumerate(clients):
                self.assertEqual(client.read_reply(AT_ONCE), {"return": {}, "id": [kill, number]})
        self.assertEqual(clients[0].command("qga-proxy-status")["clients"], count)
        self.check_serves(self.enterContext(machine.client()))
        self.assertEqual(self.place.processes("qga-proxyd"), [worker])

    def test_more_than_half(self):
        """There need not be two descriptors for each client."""
        self.check_crowd(80, "128:128")

    def test_more_than_soft_limit(self):
        """A soft limit is no limit to clients."""
        self.check_crowd(600, "512:")

    def test_usual_limit(self):
        """More than half of what processes are allowed at first on most systems."""
        self.check_crowd(600, "1024:")

    def test_listeners(self):
        """Who connects while there is no proxy waits for the next one."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait")
        first = self.enterContext(machine.client())
        worker = self.place.worker()
        os.kill(worker, signal.SIGSTOP)
        second = self.enterContext(machine.connect())
        os.kill(worker, signal.SIGKILL)
        second.negotiate()
        self.check_serves(second)
        self.check_serves(first)
        self.assertEqual(self.place.processes("qga-proxyd") == [worker], False)

    def test_awaited(self):
        """The first client is waited for by the next proxy, too."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server")
        machine.wait_said("QEMU waiting for connection on")
        os.kill(self.place.worker(), signal.SIGKILL)
        machine.wait_said("the former daemon was killed")
        self.check_serves(self.enterContext(machine.client()))

    def test_upgrade(self):
        """The supervisor passes SIGUSR2 on, and nobody notices; killed afterwards, nobody is lost either, and who was
        waiting all the while is answered."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait")
        client, waiter = self.enterContext(machine.client()), self.enterContext(machine.client())
        waiter.send_command("qga-proxy-wait-agent", {"states": ["asleep"]}, id="waited")
        worker = self.place.worker()
        for _ in range(2):
            former = RunningProgram(worker)
            os.kill(self.place.processes("qga-qemu")[0], signal.SIGUSR2)
            wait_until(former.replaced, "the upgrade")
            self.check_serves(client)
        os.kill(worker, signal.SIGKILL)
        reply = waiter.read_reply(AT_ONCE)
        self.assertEqual(reply["id"], "waited")
        self.assertIn("its outcome is unknown", reply["error"]["desc"])
        self.check_serves(waiter)
        self.check_serves(client)

    def test_told_to_end(self):
        """A proxy that is told to end leaves all to the next."""
        machine = self.launch(*MACHINE, *CHANNEL, "-qmp", "tcp:localhost:{port},server,nowait")
        client = self.enterContext(machine.client())
        os.kill(self.place.worker(), signal.SIGTERM)
        self.check_serves(client)


class Served(unittest.TestCase):
    """A guest whose QEMU was started by the launcher."""

    def enter(self, **options):
        place = self.enterContext(Place())
        return self.enterContext(LaunchedGuest(place, **options))

    def test_guest(self):
        """freeze, blockdev-snapshot-sync, thaw on one connection; the harness's own monitor, an inherited descriptor,
        is served with it."""
        guest = self.enter()
        client = self.enterContext(guest.client())
        self.wait_agent(client)
        self.assertEqual(guest.qmp.command("guest-ping"), {})
        self.assertEqual(client.command("guest-fsfreeze-freeze"), 2)
        client.execute("blockdev-snapshot-sync", {"device": "ext4", "format": "qcow2",
                                                  "snapshot-file": f"{guest.directory}/overlay.qcow2"})
        self.assertEqual(client.command("guest-fsfreeze-thaw"), 2)
        guest.qmp.command("quit")
        self.assertEqual(guest.wait_exit(), 0)
        guest.place.wait_nothing_left()

    def test_killed_while_frozen(self):
        """The next proxy thaws the guest, and who has frozen it is told so; it stays connected all the while."""
        guest = self.enter()
        client = self.enterContext(guest.client())
        self.wait_agent(client)
        self.assertEqual(client.command("guest-fsfreeze-freeze"), 2)
        touches = guest.stuck_touches("ext4", "xfs")
        os.kill(guest.place.worker(), signal.SIGKILL)
        for touch in touches:
            self.assertEqual(touch.wait(60), (0, ""))
        with self.assertRaisesRegex(QmpError, "thaw"):
            client.command("guest-fsfreeze-thaw")
        self.assertEqual(client.command("guest-fsfreeze-status"), "thawed")

    def wait_agent(self, client):
        client.execute("qga-proxy-wait-agent", {"timeout": 60}, 60)

    def test_examples(self):
        """The clients among the examples, one after the other, on one guest."""
        port = free_port()
        guest = self.enter(options=["--listen", f"tcp:localhost:{port}"])
        self.wait_agent(self.enterContext(guest.client()))
        first, second, third = (f"{guest.directory}/{name}.qcow2" for name in ("first", "second", "third"))
        place = guest.place
        self.assertEqual(place.run(EXAMPLES / "snapshot.sh", "localhost", str(port), "ext4", first),
                         (0, '{"return": 2}\n{"return": {}}\n{"return": 2}\n', ""))
        self.assertEqual(place.run(EXAMPLES / "snapshot.py", f"localhost:{port}", f"ext4={second}", f"xfs={third}"),
                         (0, f"2 file systems are frozen\next4 goes on in {second}\nxfs goes on in {third}\n"
                             "2 file systems are thawed\n", ""))
        status, output, error = place.run(EXAMPLES / "snapshot.sh", "localhost", str(port), "none", first)
        self.assertEqual((status, output), (1, '{"return": 2}\n{"return": 2}\n'))
        self.assertIn("none", error)
        status, _, error = place.run(EXAMPLES / "snapshot.py", f"localhost:{port}", f"none={first}")
        self.assertEqual(status, 1)
        self.assertIn("transaction: ", error)
        self.assertEqual(guest.qmp.command("guest-fsfreeze-status"), "thawed")
        inserted = {block["device"]: block["inserted"]["file"] for block in guest.qmp.command("query-block")}
        self.assertEqual((inserted["ext4"], inserted["xfs"]), (second, third))

    def test_start_vm(self):
        """The command line among the examples is one that starts: the exact one, port 4444 and all, printed."""
        place = self.enterContext(Place())
        folder = place.folder / "bin"
        folder.mkdir()
        (folder / "qga-qemu").write_text(f'#!/bin/sh\nexec {program(QGA_QEMU)} --print "$@"\n')
        (folder / "qga-qemu").chmod(0o755)
        status, output, error = place.run(EXAMPLES / "start-vm.sh", "disk.img", "-S",
                                          PATH=f"{folder}:{place.environment['PATH']}")
        self.assertEqual((status, error), (0, ""))
        self.assertIn("--listen tcp:localhost:4444,server=on,wait=on\n", output)
        self.assertRegex(output, r"(?m)^qemu: qemu-system-x86_64 .*mode=control -S$")

    def test_migration(self):
        """From one launcher's QEMU to another's, which waits for it with -incoming."""
        source = self.enter()
        target = self.enterContext(LaunchedGuest(source.place, agent=source.agent, source=source))
        target.arrive()
        client = self.enterContext(target.client())
        self.wait_agent(client)
        self.assertEqual(client.command("guest-ping"), {})
        self.assertEqual(target.shell("echo here"), "here")


class Mistakes(LauncherCase):
    def check(self, said, *arguments, options=()):
        """One line, and QEMU is not started."""
        ran = self.place.folder / "ran"
        fake = self.place.folder / "qemu"
        fake.write_text(f"#!/bin/sh\ntouch {ran}\n")
        fake.chmod(0o755)
        status, output, error = self.place.run(program(QGA_QEMU), *options, "--", str(fake), *arguments)
        self.assertEqual((status, output), (1, ""))
        self.assertRegex(error, rf"\A[^\n]*{said}[^\n]*\n\Z")
        self.assertFalse(ran.exists())
        self.place.wait_nothing_left()

    def test_options(self):
        self.check(r"-chardev qga_proxy,id=qga0: there is no -qmp or -mon", *CHANNEL)
        self.check(r"-qmp tcp:localhost:1,wait=off: 'wait' is for a server", *CHANNEL,
                   "-qmp", "tcp:localhost:1,wait=off")
        self.check(r"-readconfig /nowhere: .*No such file", "-readconfig", "/nowhere")
        self.check(r"fd=999: there is no such descriptor", *CHANNEL, "-chardev", "socket,id=m,fd=999,server=on", "-mon",
                   "m,mode=control")
        self.check(r"Unknown option --foo", options=["--foo"])
        self.check(r"--freeze-lease: 'x' is neither", *CHANNEL, "-qmp", f"unix:{self.place.folder}/q,server",
                   options=["--freeze-lease", "x"])

    def test_address_in_use(self):
        with socket.create_server(("localhost", 0)) as server:
            port = server.getsockname()[1]
            self.check(rf"tcp:localhost:{port}.*[Ii]n use", *CHANNEL, "-qmp", f"tcp:localhost:{port},server")

    def test_no_qemu(self):
        status, _, error = self.place.run(program(QGA_QEMU), "/nowhere/qemu", *CHANNEL, "-qmp",
                                          f"unix:{self.place.folder}/q,server")
        self.assertEqual((status, error), (1, "qga-qemu: /nowhere/qemu: No such file or directory\n"))
        self.place.wait_nothing_left()


class Through(LauncherCase):
    """Command lines without a channel for the agent."""

    def test_untouched(self):
        """They arrive byte for byte, with all that was inherited, and nothing is started beside."""
        show = self.place.folder / "qga-qemu-show"
        show.write_text(f"#!{sys.executable}\nimport os, sys, json\n"
                        "print(json.dumps([sys.argv[1:], sorted(os.listdir('/proc/self/fd'))[:-1]]))\n")
        show.chmod(0o755)
        arguments = ["-S", "-append", "-chardev", "a b", "-qmp", "unix:/x,server=on", "é\\"]
        direct = self.place.run(str(show), *arguments)
        self.assertEqual(self.place.run(program(QGA_QEMU), str(show), *arguments), direct)
        self.assertEqual(json.loads(direct[1])[0], arguments)

    def test_probing(self):
        """As libvirt asks for what a QEMU can do, through a link with an emulator's name."""
        link = self.place.folder / "qga-qemu-system-x86_64"
        link.symlink_to(program(QGA_QEMU))
        status, output, _ = self.place.run(str(link), "-version")
        self.assertEqual((status, output[:14]), (0, "QEMU emulator "))
        pid_file = self.place.folder / "pid"
        path = f"{self.place.folder}/qmp"
        status, _, error = self.place.run(
            str(link), "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none,accel=tcg", "-qmp",
            f"unix:{path},server=on,wait=off", "-pidfile", str(pid_file), "-daemonize")
        self.assertEqual((status, error), (0, ""))
        with Qmp.connect(path, "libvirt").negotiate() as client:
            with self.assertRaisesRegex(QmpError, "has not been found"):
                client.command("guest-ping")
            client.command("quit")
        self.assertEqual(self.place.processes("qga-proxyd"), [])

    def test_which_stand_alone(self):
        """The launcher knows which of QEMU's options have no value."""
        text = subprocess.run(["qemu-system-x86_64", "-help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        with_value = set(re.findall(r"^-([\w-]+) +[^\s].*$", text, re.MULTILINE))
        alone = set(re.findall(r"^--?(\w[\w-]*)(?:  +| *$)", text, re.MULTILINE)) - {"dtb"}
        source = (SOURCE / "proxy/launcher/arguments.c").read_text()
        known = set(re.findall(r'^    "([\w-]+)",$', source, re.MULTILINE))
        self.assertTrue(alone)
        self.assertEqual(sorted(alone - known), [])
        # Of two whose help has not the usual two spaces.
        self.assertEqual(sorted((with_value - alone - {"async-teardown", "h"}) & known), [])


class Print(LauncherCase):
    def test_print(self):
        """What would be started is printed, and nothing is started."""
        status, output, error = self.place.run(*self.place.command(*CHANNEL, "-qmp", "tcp:localhost:4444,server",
                                                                   options=["--print"]))
        self.assertEqual((status, error), (0, ""))
        self.assertRegex(output, r"(?m)^qemu: qemu-system-x86_64 -chardev socket,id=qga0,fd=\d+,server=on,wait=off ")
        self.assertRegex(output, r"(?m)^proxy: .*qga-proxyd --qmp unix:\S+ --agent unix:\S+ --state-dir \S+ --keep "
                                 r"--fd-store --listen tcp:localhost:4444,server=on,wait=on$")
        self.assertEqual(self.place.left(), [])


if __name__ == "__main__":
    unittest.main()
