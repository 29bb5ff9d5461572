# SPDX-License-Identifier: GPL-2.0-or-later
"""An agent that a test starts in a guest whose init starts none, and so learns how it ends."""

# Where each channel of a guest is found in it.
PATHS = {"virtio-serial": "/dev/virtio-ports/org.qemu.guest_agent.0", "isa-serial": "/dev/ttyS1"}


class AgentProcess:
    """Attributes:

      pid   in the guest
      log   the path of its log there; it is verbose
      task  a Task, whose status is that of the agent
    """

    def __init__(self, guest, program="qga-agent", method="virtio-serial", path=None, options=""):
        self.guest = guest
        directory = f"/run/{program}"
        self.log = f"{directory}/log"
        path = path or PATHS[method]
        guest.shell(f"mkdir -p {directory}; > {self.log}")
        self.task = guest.spawn(f"exec {program} -m {method} -p {path} -t {directory} -v -l {self.log} {options}")
        session = f"/run/control/{self.task.number}.session"
        guest.wait_until(f"[ -s {session} ]")
        self.pid = guest.shell(f"cat {session}")
        if method == "unix-listen":
            # The flag says that it listens; it is listed from when it is bound.
            opened = f"grep -q ' 00010000 .* {path}$' /proc/net/unix"
        else:
            opened = f'ls -l /proc/{self.pid}/fd | grep -q -- "-> $(readlink -f {path})$"'
        guest.wait_until(opened)

    def done(self):
        return self.task.done()

    def kill(self):
        if not self.done():
            self.guest.run(f"kill -KILL {self.pid}")  # or it ends by itself meanwhile
            self.task.wait()

    def terminate(self, timeout=30):
        """Its exit status."""
        self.guest.shell(f"kill -TERM {self.pid}")
        return self.task.wait(timeout)[0]

    def forget_log(self):
        self.guest.shell(f"> {self.log}")

    def wait_log(self, words):
        self.guest.wait_until(f"grep -q '{words}' {self.log}")

    def wait_asleep(self, seconds=2, timeout=120):
        """Until nothing has woken it for so long."""
        count = f"grep ctxt_switches /proc/{self.pid}/status"
        self.guest.wait_until(f'before=$({count}); sleep {seconds}; [ "$before" = "$({count})" ]', timeout)
