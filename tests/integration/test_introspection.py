# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asks the proxy what there is, is told of QEMU's commands as QEMU tells of them, and of all others likewise."""

import base64
import copy
import json
import subprocess
import unittest
from pathlib import Path

from bare import Bare, BehindBare
from harness import Guest, Proxy, program
from harness.image import AGENT, SOURCE
from schema import Schema, SchemaFault

# The proxy's own commands.
OWN = {"qga-proxy-freeze-renew", "qga-proxy-session-set", "qga-proxy-status", "qga-proxy-wait-agent"}

SCHEMA = "query-qmp-schema"

GUEST_SCHEMA = SOURCE / "common/guest-schema/schema.json"

# The agent runs on this machine, which is not to be stopped or changed.
BLOCKED = [
    "guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid", "guest-fsfreeze-freeze",
    "guest-fsfreeze-freeze-list", "guest-fsfreeze-thaw", "guest-set-time",
    "guest-fstrim", "guest-set-memory-blocks", "guest-set-user-password", "guest-set-vcpus",
    "guest-ssh-add-authorized-keys", "guest-ssh-remove-authorized-keys",
]


class HostAgent:
    """An agent beside QEMU instead of in it, on the socket where the proxy looks for one."""

    def __init__(self, qemu, blocked=()):
        self.path = Path(qemu.agent_path)
        self.command = [
            program(AGENT), "-m", "unix-listen", "-p", self.path, "-t", qemu.directory,
            "-l", qemu.directory / "qga-agent.log", "-b", ",".join([*BLOCKED, *blocked]),
        ]

    def __enter__(self):
        self.path.unlink(missing_ok=True)
        # The kernel ends it when this process dies, however it dies.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                                        stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


def ask(client, question):
    """The reply as it came, and what it returned."""
    client.send_command(question)
    while "event" in (reply := json.loads(line := client.read_line(30))):
        pass
    return line, reply["return"]


class Lists:
    """Subclasses have a QEMU in .qemu."""

    def enabled(self, client):
        commands = client.command("guest-info")["supported_commands"]
        return {command["name"] for command in commands if command["enabled"]} - {"guest-capabilities"}

    def check_lists(self, client):
        """Both lists are whole and tell the same; returns the schema."""
        # The agent answers in turn: what the proxy asked it before, it has answered by now.
        enabled = self.enabled(client)
        of_qemu, entries = ask(self.qemu.qmp, SCHEMA)
        qemu_end = b"]}\r"
        self.assertTrue(of_qemu.endswith(qemu_end))
        merged, ours = ask(client, SCHEMA)
        self.assertTrue(merged.startswith(of_qemu.removesuffix(qemu_end) + b", "), "QEMU's entries are not what came")

        schema = Schema(ours)
        commands = schema.names("command")
        self.assertEqual(commands, {command["name"] for command in client.command("query-commands")})
        added = schema.entries.keys() - Schema(entries).entries.keys()
        self.assertEqual(commands & added, enabled | OWN)
        events = schema.names("event") & added
        self.assertEqual(events, {"GUEST_AGENT_STATE", "GUEST_FSFREEZE"})
        for name in added - commands - events:
            self.assertTrue(name.startswith("qga."), name)
        for name in commands & added:
            self.assertNotIn("allow-oob", schema.entries[name])
        return schema


class OwnAgent(Lists, BehindBare, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare())
        cls.qemu.qmp.command("cont")  # the agent of a machine that stands still would not be asked

    def setUp(self):
        self.agent = self.enterContext(HostAgent(self.qemu))
        self.proxy = self.enterContext(Proxy(self.qemu))
        self.proxy.wait_agent()
        self.client = self.enterContext(self.proxy.client())

    def test_lists(self):
        """Over any client, before and after the answer was put together."""
        schema = self.check_lists(self.client)
        self.assertIn("guest-exec", schema.entries)
        self.assertNotIn("guest-shutdown", schema.entries)
        with self.proxy.client("tcp", oob=True) as other:
            self.assertEqual(self.check_lists(other).entries, schema.entries)

    def test_without_agent(self):
        with Bare() as qemu, Proxy(qemu) as proxy, proxy.client() as client:
            commands = Schema(ask(client, SCHEMA)[1]).names("command")
            self.assertEqual(commands - Schema(ask(qemu.qmp, SCHEMA)[1]).names("command"), OWN)

    def test_asked_once(self):
        """Once QEMU has answered, it is not needed for the answer: here it serves nobody."""
        answers = [ask(self.client, question) for question in ("query-commands", SCHEMA)]
        slow = self.slow()
        self.qemu.qmp.send_command(slow.name, slow.arguments)
        slow.wait_reached()
        for client in self.client, self.enterContext(self.proxy.client()):
            self.assertEqual([ask(client, question) for question in ("query-commands", SCHEMA)], answers)
        slow.release()
        self.qemu.qmp.read_reply(30)

    def test_agents_change(self):
        """Both lists follow the agent that is there."""
        before = self.check_lists(self.client)
        self.assertIn("guest-exec", before.entries)
        for blocked in ["guest-exec", "guest-file-read"], []:
            self.agent.__exit__()
            self.agent = self.enterContext(HostAgent(self.qemu, blocked))
            self.proxy.wait_agent()
            after = self.check_lists(self.client)
            self.assertEqual(before.names("command") - after.names("command"), set(blocked))
        self.assertEqual(after.entries, before.entries)

    def test_values(self):
        """What commands really take and return is what the schema tells."""
        schema = self.check_lists(self.client)
        file = self.qemu.directory / "file"
        called = set()

        def call(command, **arguments):
            arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
            returned = self.client.execute(command, arguments)
            schema.check_call(command, arguments, returned)
            called.add(command)
            return returned

        call("qga-proxy-status")
        call("qga-proxy-session-set", timeout=60, thaw_on_disconnect=True)
        call("qga-proxy-session-set")
        call("qga-proxy-wait-agent", states=["ready", "busy"], timeout=10)
        call("guest-ping")
        call("guest-info")
        call("guest-sync", id=5)
        call("guest-sync-delimited", id=6)
        call("guest-fsfreeze-status")
        handle = call("guest-file-open", path=str(file), mode="w+")
        call("guest-file-write", handle=handle, buf_b64=base64.b64encode(b"text").decode())
        call("guest-file-flush", handle=handle)
        call("guest-file-seek", handle=handle, offset=0, whence=0)
        call("guest-file-seek", handle=handle, offset=0, whence="set")
        call("guest-file-read", handle=handle)
        call("guest-file-close", handle=handle)
        for capture in True, "merged":
            pid = call("guest-exec", path="/bin/echo", arg=["words"], capture_output=capture)["pid"]
            while not call("guest-exec-status", pid=pid)["exited"]:
                pass
        for question in (
                "guest-get-cpustats", "guest-get-diskstats", "guest-get-host-name", "guest-get-load",
                "guest-get-osinfo", "guest-get-time", "guest-get-timezone", "guest-get-users",
                "guest-network-get-interfaces", "guest-network-get-route"):
            call(question)
        # What this host runs on is not to be frozen, so that there is nothing to renew.
        self.assertLessEqual(OWN - {"qga-proxy-freeze-renew"}, called)
        with self.assertRaises(SchemaFault):
            schema.check_call("guest-exec-status", {"pid": "5"}, {"exited": True})


class StockAgent(Lists, unittest.TestCase):
    """Of qemu-ga's commands the schema does not know all, and while it is frozen most are disabled."""

    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Guest(agent="qemu-ga"))

    def test_met_frozen(self):
        with self.qemu.connect_agent() as agent:
            agent.sync()
            agent.execute("guest-fsfreeze-freeze")
        with Proxy(self.qemu) as proxy:
            proxy.wait_agent()
            with proxy.client() as client:
                frozen = self.check_lists(client)
                self.assertNotIn("guest-get-osinfo", frozen.entries)
                client.command("guest-fsfreeze-thaw", timeout=60)
                thawed = self.check_lists(client)
        self.assertLess(frozen.names("command"), thawed.names("command"))
        described = json.loads(GUEST_SCHEMA.read_text())["commands"]
        for name in thawed.names("command") - described.keys():
            if name.startswith("guest-"):
                stranger = thawed.entries[name]
                self.assertEqual((stranger["arg-type"], stranger["ret-type"]), ("qga.empty", "any"))


class Checker(unittest.TestCase):
    """The checker is right: QEMU's own schema passes, and each thing that may be wrong with one is found."""

    def setUp(self):
        with Bare(monitors=0) as qemu:
            self.entries = ask(qemu.qmp, SCHEMA)[1]

    def entry(self, entries, meta_type, **members):
        return next(entry for entry in entries if entry["meta-type"] == meta_type and members.items() <= entry.items()
                    and entry.get("members") != [])

    def test_qemu(self):
        schema = Schema(self.entries)
        self.assertGreater(len(schema.names("command")), 200)
        for name, returned in (("query-status", {"running": True, "singlestep": False, "status": "paused"}),
                               ("query-name", {}), ("query-name", {"name": "x"})):
            schema.check_call(name, {}, returned)
        for name, returned in (("query-status", {"running": True, "singlestep": False}),
                               ("query-status", {"running": 1, "singlestep": False, "status": "paused"}),
                               ("query-status", {"running": True, "singlestep": False, "status": "asleep"}),
                               ("query-name", []), ("query-name", {"name": 5}), ("query-name", {"nme": "x"})):
            with self.subTest(returned), self.assertRaises(SchemaFault):
                schema.check_call(name, {}, returned)

    def test_faults(self):
        def drop(name):
            return lambda entries: entries.remove(next(entry for entry in entries if entry["name"] == name))

        def change(meta_type, /, **members):
            return lambda entries: self.entry(entries, meta_type).update(
                {name.replace("_", "-"): value for name, value in members.items()})

        status = self.entry(self.entries, "command", name="query-status")
        for what, break_it in {
            "a type is missing": drop("str"),
            "a result's type is missing": drop(status["ret-type"]),
            "a name is there twice": lambda entries: entries.append(dict(entries[0])),
            "a result that is an event": change("command", ret_type="SHUTDOWN"),
            "arguments that are no object": change("command", arg_type="str"),
            "an event's data that is no object": change("event", arg_type="int"),
            "an element of no type": change("array", element_type="nothing"),
            "values that are not the members": change("enum", values=[]),
            "a builtin of no kind": change("builtin", json_type="text"),
            "a branch of no type": change("alternate", members=[{"type": "nothing"}]),
            "a member of no type": change("object", members=[{"name": "x", "type": "nothing"}]),
            "a member twice": change("object", members=[{"name": "x", "type": "str"}] * 2),
            "a tag alone": change("object", tag="x"),
            "an unknown kind": change("event", meta_type="thing"),
            "a member that means nothing": change("command", returns="int"),
        }.items():
            entries = copy.deepcopy(self.entries)
            break_it(entries)
            with self.subTest(what), self.assertRaises(SchemaFault):
                Schema(entries)
