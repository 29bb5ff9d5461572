# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks, processors, memory, passwords and keys: our agent and Debian's qemu-ga run in one guest, are asked the same,
and answer the same, but for what docs/agent-differences.md lists. Each row of its first table has a test here that
shows both sides."""

import base64
import unittest

from bare import Bare
from harness import AgentError, Deadline, Guest, Proxy
from schema import Schema

# Disks beyond those of every guest: how each is attached, and what a guest calls it then.
MEGABYTE = 1 << 20
SECTOR = 512

PASSWD = r"root:x:0:0::/:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\nlost:x:1001:1001::/home/lost:/bin/sh\n"

# In chpasswd's place: tells what it was given, and fails as it is told to.
CHPASSWD = r"""#!/bin/sh
printf "[%s]" "$@" >> /run/chpasswd.log
cat >> /run/chpasswd.log
case $(cat /run/chpasswd.mood) in
loud) echo "it is bad" >&2; exit 3 ;;
quiet) exit 4 ;;
esac
"""


def partitioned():
    """The first sector of a disk with one partition."""
    entry = bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


class Both:
    """A guest with both agents."""

    @classmethod
    def setUpClass(cls):
        cls.files = cls.enterClassContext(Bare())  # for its directory
        cls.guest = cls.enterClassContext(Guest(
            memory=384, agent_options=["-v", "-l/run/ours.log"], processors=3,
            qemu_arguments=cls.disks()))
        for module, disk in ("virtio_scsi", "/dev/sda"), ("ata_piix", "/dev/sdc"):  # named as they come
            cls.guest.shell(f"modprobe -a loop sd_mod {module}")
            cls.guest.wait_until(f"[ -b {disk} ]")
        cls.guest.shell("for writer in ext4 xfs; do kill -STOP -$(cat /run/writer-$writer.pid); done; sync")
        cls.guest.shell("mkdir -p /run/theirs && touch /run/chpasswd.mood")
        cls.guest.shell(f"printf '{PASSWD}' > /etc/passwd; mkdir -p /home/u; chown 1000:1000 /home/u")
        cls.stock = cls.guest.spawn("exec qemu-ga -v -l /run/theirs.log -m isa-serial -p /dev/ttyS1 -t /run/theirs")
        cls.ours = cls.enterClassContext(cls.guest.connect_agent())
        cls.ours.sync()
        cls.theirs = cls.enterClassContext(cls.guest.connect_agent("isa-serial"))
        cls.theirs.sync()

    @classmethod
    def disks(cls):
        arguments = []
        for name in "partitioned", "nvme", "scsi", "ide0", "ide1":
            path = cls.files.directory / f"{name}.img"
            path.write_bytes(partitioned() if name == "partitioned" else b"")
            with open(path, "r+b") as file:
                file.truncate(8 * MEGABYTE)
            arguments += ["-drive", f"if=none,id={name},file={path},format=raw"]
        for device in ("virtio-blk-pci,drive=partitioned,serial=of-virtio", "nvme,drive=nvme,serial=of-nvme",
                       "virtio-scsi-pci,id=bus", "scsi-hd,drive=scsi,bus=bus.0,scsi-id=3,lun=2,serial=of-scsi",
                       "ide-hd,drive=ide0,bus=ide.0,unit=1", "ide-hd,drive=ide1,bus=ide.1,unit=0"):
            arguments += ["-device", device]
        return arguments

    @staticmethod
    def answer(agent, command, arguments):
        try:
            return agent.execute(command, arguments)
        except AgentError as error:
            return error

    def ask(self, command, **arguments):
        """What both return."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        ours, theirs = (self.answer(agent, command, arguments) for agent in (self.ours, self.theirs))
        for answer in ours, theirs:
            self.assertNotIsInstance(answer, AgentError)
        return ours, theirs

    def same(self, command, **arguments):
        """Both return the same, which is returned."""
        ours, theirs = self.ask(command, **arguments)
        self.assertEqual(ours, theirs)
        return ours

    def refused(self, command, words, their_words=None, **arguments):
        """Both answer an error of the same class and words; those of qemu-ga may be others, where that is told."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        ours, theirs = (self.answer(agent, command, arguments) for agent in (self.ours, self.theirs))
        for answer in ours, theirs:
            self.assertIsInstance(answer, AgentError, command)
        self.assertEqual((ours.error_class, ours.desc), ("GenericError", words))
        self.assertEqual((theirs.error_class, theirs.desc),
                         ("GenericError", words if their_words is None else their_words))

    def each(self):
        """Both agents, one after the other, from the same start."""
        yield "ours", self.ours
        yield "theirs", self.theirs


def by(key, entries):
    return {entry[key]: entry for entry in entries}


class Disks(Both, unittest.TestCase):
    def mount(self, what, directory):
        self.guest.shell(f"mkdir -p {directory} && mount {what} {directory}")
        self.addCleanup(self.guest.shell, f"umount {directory}")

    # What is like it in both

    def filesystems(self):
        """By mount point; ours without what is new in it. A filesystem may still settle what its writers left: it is
        asked again until nothing changed meanwhile."""
        ours, theirs = self.ask("guest-get-fsinfo")
        deadline = Deadline(30)
        while (again := self.ours.execute("guest-get-fsinfo")) != ours and deadline.left():
            ours, theirs = again, self.theirs.execute("guest-get-fsinfo")
        ours, theirs = by("mountpoint", ours), by("mountpoint", theirs)
        for entry in ours.values():
            # Of sizes unlike qemu-ga's there is this one, which Debian's does not have yet.
            self.assertGreaterEqual(entry.pop("total-bytes-privileged", entry.get("total-bytes", 0)),
                                    entry.get("total-bytes", 0))
        return ours, theirs

    def test_filesystems(self):
        ours, theirs = self.filesystems()
        self.assertEqual(ours, theirs)
        self.assertEqual(ours.keys(), {"/mnt/ext4", "/mnt/xfs"})
        self.assertEqual(ours["/mnt/xfs"]["disk"][0]["dev"], "/dev/vdb")

    def test_filesystem_in_a_file(self):
        self.guest.shell("dd if=/dev/zero of=/tmp/image bs=1M count=4 2> /dev/null; mke2fs -F /tmp/image > /dev/null")
        self.guest.shell("losetup /dev/loop0 /tmp/image")
        self.addCleanup(self.guest.shell, "losetup -d /dev/loop0; rm /tmp/image")
        self.mount("-t ext4 /dev/loop0", "/mnt/loop")
        ours, theirs = self.filesystems()
        self.assertEqual(ours, theirs)
        self.assertEqual((ours["/mnt/loop"]["name"], ours["/mnt/loop"]["disk"]), ("loop0", []))

    def test_disks(self):
        """All but what the next tests are about."""
        ours, theirs = (by("name", entries) for entries in self.ask("guest-get-disks"))
        for name, entry in ours.items():
            if not entry["partition"]:
                entry["address"].pop("serial", None)
        self.assertEqual(ours["/dev/sda"]["address"].pop("target"), 3)
        self.assertEqual(theirs["/dev/sda"]["address"].pop("target"), 0)
        self.assertEqual(ours, theirs)
        self.assertEqual({name: disk["address"]["bus-type"] for name, disk in ours.items() if "address" in disk}, {
            "/dev/vda": "virtio", "/dev/vdb": "virtio", "/dev/vdc": "virtio", "/dev/vdd": "virtio",
            "/dev/nvme0n1": "nvme", "/dev/sda": "scsi", "/dev/sdb": "ide", "/dev/sdc": "ide"})
        self.assertEqual(ours["/dev/vdd1"]["dependencies"], ["/dev/vdd"])
        self.assertEqual(ours["/dev/nvme0n1"]["smart"]["temperature"], 323)

    def test_serial_of_udev(self):
        """udev's word is taken for it by both."""
        self.guest.shell("mkdir -p /run/udev/data; echo E:ID_SERIAL=of-udev > /run/udev/data/b254:48")
        self.addCleanup(self.guest.shell, "rm -r /run/udev")
        for entries in self.ask("guest-get-disks"):
            self.assertEqual(by("name", entries)["/dev/vdd"]["address"]["serial"], "of-udev")

    # Differences

    def test_serial_without_udev(self):
        ours, theirs = (by("name", entries) for entries in self.ask("guest-get-disks"))
        serials = {name: disk["address"]["serial"] for name, disk in ours.items()
                   if "serial" in disk.get("address", {})}
        self.assertEqual(serials, {"/dev/vdd": "of-virtio", "/dev/nvme0n1": "QEMU_NVMe_Ctrl_of-nvme",
                                   "/dev/sda": "of-scsi", "/dev/sdb": "QM00002", "/dev/sdc": "QM00003"})
        for disk in theirs.values():
            self.assertNotIn("serial", disk.get("address", {}))

    def test_bind_mounts(self):
        """To ours it is one filesystem however often it is mounted; to a qemu-ga before 8.2 each mount is one."""
        self.mount("-o bind /mnt/ext4", "/mnt/bind")
        ours, theirs = self.filesystems()
        self.assertEqual(ours.keys(), {"/mnt/ext4", "/mnt/xfs"})
        self.assertEqual(theirs.keys(), ours.keys() | {"/mnt/bind"})
        ours, theirs = (by("path", reply["paths"]) for reply in self.ask("guest-fstrim"))
        self.assertEqual(ours.keys(), {"/mnt/ext4", "/mnt/xfs"})
        self.assertEqual(theirs.keys(), ours.keys() | {"/mnt/bind"})

    def test_hidden_filesystem(self):
        """Ours tells no sizes of what stands in its place, and does not trim it; where it shows elsewhere, that is
        told instead."""
        self.mount("-t tmpfs none", "/mnt/xfs")
        ours, theirs = self.filesystems()
        self.assertEqual(ours["/mnt/xfs"]["type"], "xfs")
        self.assertNotIn("total-bytes", ours["/mnt/xfs"])
        self.assertIn("total-bytes", theirs["/mnt/xfs"])
        ours, theirs = (by("path", reply["paths"]) for reply in self.ask("guest-fstrim"))
        self.assertEqual(ours.keys(), {"/mnt/ext4"})
        self.assertEqual(theirs["/mnt/xfs"]["error"], "trim not supported")

    # Trim

    def test_trim(self):
        for minimum in 0, MEGABYTE, -1, 1 << 50:
            ours, theirs = (by("path", reply["paths"]) for reply in self.ask("guest-fstrim", minimum=minimum))
            for results in ours, theirs:
                for result in results.values():
                    result.pop("trimmed", None)  # the second has less to do than the first
            self.assertEqual(ours, theirs)
        self.refused("guest-fstrim", "Invalid parameter type for 'minimum', expected: integer", minimum="all")

    def test_trimmed(self):
        """What is free is given back, and counted."""
        self.guest.shell("dd if=/dev/zero of=/mnt/xfs/large bs=1M count=8 2> /dev/null; sync; rm /mnt/xfs/large; sync")
        for _, agent in self.each():
            paths = by("path", agent.execute("guest-fstrim", {"minimum": 0})["paths"])
            self.assertGreater(paths["/mnt/xfs"]["trimmed"], 100 * MEGABYTE)


class Processors(Both, unittest.TestCase):
    def test_vcpus(self):
        ours, theirs = (by("logical-id", entries) for entries in self.ask("guest-get-vcpus"))
        self.assertEqual(ours, theirs)
        self.assertEqual(ours.keys(), {0, 1, 2})

    def cpu(self, number, online, **more):
        return {"logical-id": number, "online": online, **more}

    def online(self):
        return self.guest.shell("cat /sys/devices/system/cpu/online")

    def test_set(self):
        for _, agent in self.each():
            def change(*vcpus):
                return agent.execute("guest-set-vcpus", {"vcpus": vcpus})
            self.assertEqual(change(self.cpu(1, False), self.cpu(2, False)), 2)
            self.assertEqual(self.online(), "0")
            self.assertEqual(change(self.cpu(1, True), self.cpu(99, True), self.cpu(2, True)), 1)
            self.assertEqual(self.online(), "0-1")
            self.assertEqual(change(self.cpu(2, True, **{"can-offline": False}), self.cpu(0, False)), 1)
            self.assertEqual(self.online(), "0-2")

    def test_set_refused(self):
        self.assertEqual(self.same("guest-set-vcpus", vcpus=[]), 0)
        self.refused("guest-set-vcpus", "logical processor #0 can't be offlined",
                     vcpus=[self.cpu(0, False), self.cpu(1, True)])
        for number in 99, -1:
            self.refused("guest-set-vcpus", f'open("/sys/devices/system/cpu/cpu{number}/"): No such file or directory',
                         vcpus=[self.cpu(number, True)])
        self.refused("guest-set-vcpus", "Parameter 'vcpus' is missing")
        self.refused("guest-set-vcpus", "Parameter 'vcpus[0].online' is missing", vcpus=[{"logical-id": 0}])
        self.refused("guest-set-vcpus", "Invalid parameter type for 'vcpus[0].logical-id', expected: integer",
                     vcpus=[self.cpu("one", True)])
        self.refused("guest-set-vcpus", "Parameter 'vcpus[0].more' is unexpected", vcpus=[self.cpu(0, True, more=1)])

    def test_memory(self):
        ours, theirs = (by("phys-index", entries) for entries in self.ask("guest-get-memory-blocks"))
        self.assertEqual(ours, theirs)
        self.assertEqual(ours.keys(), {0, 1, 2})
        self.assertEqual(self.same("guest-get-memory-block-info"), {"size": 128 * MEGABYTE})

    def block(self, number, online):
        return {"phys-index": number, "online": online}

    def test_set_memory(self):
        self.assertEqual(self.same("guest-set-memory-blocks", **{"mem-blks": []}), [])
        answers = self.same("guest-set-memory-blocks", **{"mem-blks": [
            self.block(0, True), self.block(9999, True), self.block(0, False)]})
        self.assertEqual([answer["response"] for answer in answers], ["success", "not-found", "operation-failed"])
        self.refused("guest-set-memory-blocks", "Parameter 'mem-blks[0].phys-index' is missing",
                     **{"mem-blks": [{"online": True}]})

    def test_negative_block(self):
        """qemu-ga takes it for the number that it is modulo 2^64, and looks for that."""
        block = {"mem-blks": [self.block(-1, True)]}
        with self.assertRaisesRegex(AgentError, r"Invalid parameter type for 'mem-blks\[0\].phys-index'"):
            self.ours.execute("guest-set-memory-blocks", block)
        [answer] = self.theirs.execute("guest-set-memory-blocks", block)
        self.assertEqual(answer, {"phys-index": 2**64 - 1, "response": "not-found", "error-code": 2})

    def test_no_memory_blocks(self):
        """As where the kernel tells of none."""
        self.guest.shell("mount -t tmpfs none /sys/devices/system/memory")
        self.addCleanup(self.guest.shell, "umount /sys/devices/system/memory")
        self.refused("guest-get-memory-blocks", "guest reported zero memory blocks!")
        self.refused("guest-get-memory-block-info", 'open sysfs file "block_size_bytes": No such file or directory')
        self.same("guest-set-memory-blocks", **{"mem-blks": [self.block(0, True)]})


class Passwords(Both, unittest.TestCase):
    def setUp(self):
        self.guest.shell(f"cat > /usr/sbin/chpasswd << 'END'\n{CHPASSWD}\nEND\nchmod +x /usr/sbin/chpasswd")
        self.guest.shell("> /run/chpasswd.log; > /run/chpasswd.mood")

    def password(self, username, password, crypted=False):
        text = password if isinstance(password, str) else base64.b64encode(password).decode()
        return {"username": username, "password": text, "crypted": crypted}

    def given(self):
        """What chpasswd was given since the last time."""
        return self.guest.shell("cat /run/chpasswd.log; > /run/chpasswd.log")

    def test_set(self):
        for _, agent in self.each():
            for crypted, option in (False, "[]"), (True, "[-e]"):
                self.assertEqual(
                    agent.execute("guest-set-user-password", self.password("u", b"a secret'\"\\", crypted)), {})
                self.assertEqual(self.given(), option + "u:a secret'\"\\")

    def test_refused(self):
        def refused(words, *arguments):
            self.refused("guest-set-user-password", words, **self.password(*arguments))
        refused("forbidden characters in raw password", "u", b"a\nroot:b")
        refused("forbidden characters in username", "a:b", b"a")
        refused("forbidden characters in username", "a\nb", b"a")
        refused("Base64 data contains invalid characters", "u", "a!")
        self.refused("guest-set-user-password", "Parameter 'username' is missing")
        self.refused("guest-set-user-password", "Parameter 'crypted' is missing", username="u", password="")
        self.assertEqual(self.given(), "")

    # Differences

    def test_zero_byte(self):
        """qemu-ga sets what stands before it."""
        with self.assertRaisesRegex(AgentError, "forbidden characters in raw password"):
            self.ours.execute("guest-set-user-password", self.password("u", b"a\0b"))
        self.theirs.execute("guest-set-user-password", self.password("u", b"a\0b"))
        self.assertEqual(self.given(), "[]u:a")

    def test_hash_with_colon(self):
        """It would be further fields of /etc/shadow."""
        with self.assertRaisesRegex(AgentError, "forbidden characters in raw password"):
            self.ours.execute("guest-set-user-password", self.password("u", b"a:b", True))
        self.theirs.execute("guest-set-user-password", self.password("u", b"a:b", True))
        self.assertEqual(self.given(), "[-e]u:a:b")

    def test_chpasswd_fails(self):
        """Ours says what the tool said; so do newer qemu-gas."""
        words = "child process has failed to set user password"
        self.guest.shell("echo loud > /run/chpasswd.mood")
        self.refused("guest-set-user-password", f"{words}: it is bad\n", words, **self.password("u", b"a"))
        self.guest.shell("echo quiet > /run/chpasswd.mood")
        self.refused("guest-set-user-password", f"{words}, exit status 4", words, **self.password("u", b"a"))

    def test_no_chpasswd(self):
        """The name of what is missing is its own."""
        self.guest.shell("rm /usr/sbin/chpasswd")
        self.refused("guest-set-user-password", "cannot find 'chpasswd' program in PATH",
                     "cannot find 'passwd' program in PATH", **self.password("u", b"a"))

    # What qemu-ga gets wrong

    def test_nothing_is_logged(self):
        """A log that is as verbose as can be holds no password."""
        password = self.password("u", b"a password of some length")
        for name, agent in self.each():
            agent.execute("guest-set-user-password", password)
            # A serial line brings it in pieces, with a line of the log for each.
            log = self.guest.shell(f"sed 's/.*read data, count: [0-9]*, data: //' /run/{name}.log | tr -d '\\n'")
            self.assertIn("guest-set-user-password", log)
            (self.assertNotIn if name == "ours" else self.assertIn)(password["password"], log)

    def test_after_captured_output(self):
        """Where one stream alone is captured, a qemu-ga that can do so closes its own standard input, and chpasswd
        reads nothing from then on. Debian's cannot."""
        for capture in "stdout", "stderr":
            pid = self.ours.execute("guest-exec", {"path": "true", "capture-output": capture})["pid"]
            while not self.ours.execute("guest-exec-status", {"pid": pid})["exited"]:
                pass
            self.ours.execute("guest-set-user-password", self.password("u", b"after"))
            self.assertEqual(self.given(), "[]u:after")


class Keys(Both, unittest.TestCase):
    file = "/home/u/.ssh/authorized_keys"

    def setUp(self):
        self.clear()

    def clear(self):
        self.guest.shell("rm -rf /home/u/.ssh /home/u/other /run/secret")

    def each(self):
        for name, agent in super().each():
            self.clear()
            yield name, agent

    def add(self, agent, *keys, **more):
        self.assertEqual(agent.execute("guest-ssh-add-authorized-keys", {"username": "u", "keys": keys, **more}), {})

    def keys(self, agent):
        """qemu-ga tells them from the last to the first."""
        keys = agent.execute("guest-ssh-get-authorized-keys", {"username": "u"})["keys"]
        return keys[::-1] if agent is self.theirs else keys

    def put(self, text):
        self.guest.shell(f"mkdir -p /home/u/.ssh; printf '{text}' > {self.file}; chown -R 1000:1000 /home/u")

    def lines(self):
        return self.guest.shell(f"cat {self.file}").split("\n")

    def test_add(self):
        for _, agent in self.each():
            self.add(agent, "ssh-rsa A a", "ssh-rsa B b", "ssh-rsa A a")
            self.assertEqual(self.guest.shell(f"stat -c '%u %g %a' /home/u/.ssh {self.file}"),
                             "1000 1000 700\n1000 1000 600")
            self.add(agent, "ssh-rsa B b", "ssh-rsa C c")
            self.assertEqual(self.keys(agent), ["ssh-rsa A a", "ssh-rsa B b", "ssh-rsa C c"])
            self.assertEqual(self.lines(), self.keys(agent))
            self.add(agent, "ssh-rsa D d", reset=True)
            self.assertEqual(self.lines(), ["ssh-rsa D d"])
            self.add(agent, reset=True)
            self.assertEqual(self.keys(agent), [])

    def test_other_lines(self):
        for _, agent in self.each():
            self.put(r"# comment\n\nssh-rsa A a\n  # other\nssh-rsa B b\n")
            self.assertEqual(self.keys(agent), ["ssh-rsa A a", "ssh-rsa B b"])
            agent.execute("guest-ssh-remove-authorized-keys", {"username": "u", "keys": ["ssh-rsa A a", "nowhere"]})
            self.assertEqual([line for line in self.lines() if line],
                             ["# comment", "  # other", "ssh-rsa B b"])

    def test_nothing_to_remove(self):
        self.same("guest-ssh-remove-authorized-keys", username="u", keys=["ssh-rsa A a"])
        self.assertEqual(self.guest.shell("ls -A /home/u"), "")

    def test_refused(self):
        for verb in "add", "remove":
            for key in "#x", "a\nb":
                self.refused(f"guest-ssh-{verb}-authorized-keys", f"invalid OpenSSH public key: '{key}'",
                             username="u", keys=["ok", key])
        self.refused("guest-ssh-get-authorized-keys", "Parameter 'username' is missing")
        self.refused("guest-ssh-add-authorized-keys", "Parameter 'keys' is missing", username="u")
        self.refused("guest-ssh-add-authorized-keys",
                     "failed to create directory '/home/lost/.ssh': No such file or directory",
                     username="lost", keys=["a"])

    # Differences

    def test_words(self):
        for verb, more in ("get", {}), ("add", {"keys": ["a"]}), ("remove", {"keys": ["a"]}):
            self.refused(f"guest-ssh-{verb}-authorized-keys", "failed to lookup user 'nobody': no such user",
                         "failed to lookup user 'nobody': Success", username="nobody", **more)
        self.refused("guest-ssh-get-authorized-keys", f"failed to read '{self.file}': No such file or directory",
                     f"failed to read '{self.file}': Failed to open file “{self.file}”: No such file or directory",
                     username="u")

    def test_last_line(self):
        """Ours ends it, so that whoever appends to the file does not make one line of two keys."""
        for name, agent in self.each():
            self.add(agent, "ssh-rsa A a")
            self.guest.shell(f"echo ssh-rsa B b >> {self.file}")
            self.assertEqual(len(self.keys(agent)), 2 if name == "ours" else 1)

    def test_blank_key(self):
        with self.assertRaisesRegex(AgentError, "invalid OpenSSH public key: ''"):
            self.add(self.ours, "")
        self.add(self.theirs, "")

    def test_links_are_not_followed(self):
        """A user's link would have root write, and read, what the user may not."""
        for name, agent in self.each():
            self.put("")
            self.guest.shell(f"echo of root > /run/secret; chmod 600 /run/secret; ln -sf /run/secret {self.file}")
            if name == "theirs":
                self.assertEqual(self.keys(agent), ["of root"])
                continue
            with self.assertRaisesRegex(AgentError, "Too many levels of symbolic links"):
                self.keys(agent)
            with self.assertRaisesRegex(AgentError, "Too many levels of symbolic links"):
                self.add(agent, "ssh-rsa A a")
            self.assertEqual(self.guest.shell("cat /run/secret; stat -c '%u %a' /run/secret"), "of root\n0 600")

    def test_linked_directory_is_not_followed(self):
        for name, agent in self.each():
            self.guest.shell("mkdir /home/u/other; chown 0:0 /home/u/other; ln -s /home/u/other /home/u/.ssh")
            if name == "theirs":
                self.add(agent, "ssh-rsa A a")
                self.assertEqual(self.guest.shell("ls -A /home/u/other"), "authorized_keys")
                continue
            with self.assertRaisesRegex(AgentError, "failed to open directory '/home/u/.ssh': Not a directory"):
                self.add(agent, "ssh-rsa A a")
            self.assertEqual(self.guest.shell("ls -A /home/u/other"), "")

    def test_other_kinds_of_file_are_refused(self):
        """Nothing is read of what else may have the name, nor is it waited for; a second name for a file of root's
        is one, too."""
        kinds = {f"ln /home/secret {self.file}": "Permission denied|Operation not permitted",
                 f"mkfifo {self.file}; chown 1000:1000 {self.file}": "Operation not permitted",
                 f"mkdir {self.file}; chown 1000:1000 {self.file}": "Operation not permitted",
                 f"mknod {self.file} c 1 5; chown 1000:1000 {self.file}": "Operation not permitted",
                 f"echo mine > {self.file}; chown 1000:1000 {self.file}; ln {self.file} /home/u/other":
                     "Operation not permitted"}
        for make, words in kinds.items():
            with self.subTest(make):
                self.clear()
                self.guest.shell("echo of root > /home/secret; chmod 600 /home/secret")
                self.guest.shell(f"mkdir -p /home/u/.ssh; chown 1000:1000 /home/u/.ssh; {make}")
                for ask in self.keys, lambda agent: self.add(agent, "ssh-rsa A a"):
                    with self.assertRaisesRegex(AgentError, f"failed to read '{self.file}': ({words})"):
                        ask(self.ours)
                self.assertEqual(self.guest.shell("cat /home/secret; stat -c %u /home/secret"), "of root\n0")

    def test_swapped_directory(self):
        """While .ssh is a directory and a link by turns, what is added goes into the directory or nowhere."""
        self.guest.shell("mkdir -p /run/rooted; echo of root > /run/rooted/authorized_keys; rm -f /run/enough")
        swapping = self.guest.spawn(
            "cd /home/u; until [ -e /run/enough ]; do "
            "rm -rf .ssh; ln -s /run/rooted .ssh; rm -rf .ssh; mkdir .ssh; chown 1000:1000 .ssh; done")
        outcomes = {"added": 0, "refused": 0}
        deadline = Deadline(120)
        try:
            while min(outcomes.values()) < 20:
                self.assertGreater(deadline.left(), 0, f"one outcome of the race is missing: {outcomes}")
                try:
                    self.add(self.ours, f"ssh-rsa {outcomes['added']} a")
                    outcomes["added"] += 1
                except AgentError as error:
                    self.assertRegex(str(error), "Not a directory|No such file or directory|File exists|not permitted")
                    outcomes["refused"] += 1
        finally:
            self.guest.shell("touch /run/enough")
            swapping.wait()
        self.assertEqual(self.guest.shell("ls -A /run/rooted; cat /run/rooted/authorized_keys"),
                         "authorized_keys\nof root")

    def test_rights_of_the_user(self):
        """Ours makes nothing where the user could not."""
        for name, agent in self.each():
            self.guest.shell("chown 0:0 /home/u")
            try:
                if name == "ours":
                    with self.assertRaisesRegex(AgentError, "failed to create directory .*: Permission denied"):
                        self.add(agent, "ssh-rsa A a")
                else:
                    self.add(agent, "ssh-rsa A a")
            finally:
                self.guest.shell("chown 1000:1000 /home/u")


class Described(unittest.TestCase):
    """Through the proxy, whose schema tells what they take and return: they do."""

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(qemu_arguments=[
            "-drive", "if=none,id=nvme,driver=null-co,size=8M,read-zeroes=on", "-device", "nvme,drive=nvme,serial=x"]))
        cls.guest.shell(f"printf '{PASSWD}' > /etc/passwd; mkdir -p /home/u; chown 1000:1000 /home/u")
        cls.guest.shell("printf '#!/bin/sh\ncat > /dev/null\n' > /usr/sbin/chpasswd; chmod +x /usr/sbin/chpasswd")
        cls.proxy = cls.enterClassContext(Proxy(cls.guest))
        cls.proxy.wait_agent()
        cls.client = cls.enterClassContext(cls.proxy.client())

    def test_values(self):
        self.client.command("guest-info")  # whatever the proxy has asked before is answered by then
        schema = Schema(self.client.command("query-qmp-schema", timeout=60))
        block = {"phys-index": 0, "online": True}
        user = {"username": "u"}
        for command, arguments in (
                ("guest-get-fsinfo", {}), ("guest-get-disks", {}),
                ("guest-fstrim", {}), ("guest-fstrim", {"minimum": 1}),
                ("guest-get-vcpus", {}), ("guest-set-vcpus", {"vcpus": [{"logical-id": 0, "online": True}]}),
                ("guest-get-memory-blocks", {}), ("guest-get-memory-block-info", {}),
                ("guest-set-memory-blocks", {"mem-blks": [block, {**block, "phys-index": 9999}]}),
                ("guest-set-user-password", {**user, "password": "YQ==", "crypted": False}),
                ("guest-ssh-add-authorized-keys", {**user, "keys": ["ssh-rsa A a"], "reset": True}),
                ("guest-ssh-get-authorized-keys", user),
                ("guest-ssh-remove-authorized-keys", {**user, "keys": ["ssh-rsa A a"]})):
            with self.subTest(command):
                returned = self.client.execute(command, arguments)
                schema.check_call(command, arguments, returned)
