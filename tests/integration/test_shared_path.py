# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU and clients of the agent's protocol connect to one path. Whose connection is whose is shown by what the proxy
says of the agent's channel: it is offline until QEMU has come."""

import unittest

from bare import Bare
from harness import AgentChannel, Proxy

# A QEMU that has lost its connection tries again after a second.
SOON = 10


class SharedPath(unittest.TestCase):
    def setUp(self):
        self.qemu = Bare()
        self.addCleanup(self.qemu.close)
        self.path = self.qemu.agent_path
        self.qemu.agent_path = f"{self.path},server=on"
        self.qemu.arguments += ["-chardev", f"socket,id=qga0,path={self.path},reconnect=1"]

    def serve(self, **more):
        return self.enterContext(Proxy(self.qemu, arguments=["--agent-listen", f"unix:{self.path}"], **more))

    def start(self):
        self.qemu.start()
        self.qemu.qmp.negotiate()

    def connect(self):
        return self.enterContext(AgentChannel.connect(self.path, "a raw client"))

    def test_qemu_is_found(self):
        """However many clients were there before QEMU, and come later, QEMU is QEMU: also when it comes again. The
        clients stay, and are all the proxy's clients."""
        proxy = self.serve()
        clients = [self.connect() for _ in range(3)]
        self.start()
        # The machine does not run: that is known of a channel that is there.
        proxy.wait_agent_state("paused", SOON)
        clients += [self.connect() for _ in range(3)]
        with proxy.client() as client:
            proxy.wait_status("the clients", lambda status: status["clients"] == 1 + len(clients), SOON, client)
            # What is known of the agent's end of such a connection is the same as of any.
            self.qemu.qmp.command("yank", instances=[{"type": "chardev", "id": "qga0"}])
            client.wait_event("GUEST_AGENT_STATE", SOON, state="offline")
            client.wait_event("GUEST_AGENT_STATE", SOON, state="paused")
            self.assertEqual(client.command("qga-proxy-status")["clients"], 1 + len(clients))
        self.assertFalse(any(client.readable() for client in clients))

    def test_client_is_not_qemu(self):
        """Where QEMU has its chardev elsewhere, nobody else is taken for it."""
        self.qemu.arguments = []
        proxy = self.serve()
        self.start()
        client = self.connect()
        client.send_command("guest-ping")
        proxy.wait_status("the client", lambda status: status["clients"] == 2, SOON)
        self.assertEqual(proxy.status()["agent"]["state"], "offline")
        self.assertFalse(client.readable())
