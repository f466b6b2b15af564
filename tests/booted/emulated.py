# SPDX-License-Identifier: Apache-2.0
"""A machine that is emulated as a whole: Debian's own 6.1 kernel and a virtio network card.

It boots from a disk image that is made of the bare tree with Debian's kernel, and is reached by ssh
alone, as a machine in a rack is. Its network card is a tap at the switch with two queues. Without
KVM it is some twenty times slower than the machine that emulates it; nothing here is in a hurry.
"""

import shlex
import signal
import subprocess

import base
import janitor
from host import LabError, checked, stop_process, wait_until
from machine import ARCHIVE, RELEASES, Machine

HOST_PACKAGES = ("qemu-system-x86", "e2fsprogs")
BOOT_SECONDS = 900
DISK_SIZE = "3G"  # sparse


class Emulated(Machine):
    """One CPU more than the queues need would change nothing; memory is what a small server has."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.qemu = None
        self.image = self.directory / "disk.img"

    def install(self):
        tree = base.bare_tree(kernel=True)
        self.lay_out(tree)
        # No devices of another kernel's: this one makes its own.
        self.write("/etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
        checked(["cp", "-r", str(self.lab.archive), str(self.path(ARCHIVE))])
        checked(["cp", "-r", str(self.lab.releases), str(self.path(RELEASES))])
        checked(["mke2fs", "-q", "-t", "ext4", "-d", str(self.disk), str(self.image), DISK_SIZE],
                timeout=600)
        self.kernel, = (tree / "boot").glob("vmlinuz-6.1.*")
        self.initrd, = (tree / "boot").glob("initrd.img-6.1.*")
        checked(["umount", str(self.disk)])

    def power_on(self):
        self.lab.on_switch(f"""
            ip tuntap add dev {self.name} mode tap multi_queue vnet_hdr
            ip link set {self.name} address {self.port_mac} master br0 up""")
        # The consoles of a machine that one does not sit before. eth0 is eth0, as on the others.
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                   "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none",
                   "-kernel", self.kernel, "-initrd", self.initrd, "-append",
                   "root=/dev/vda ro console=ttyS0 net.ifnames=0 quiet nowatchdog",
                   "-drive", f"file={self.image},format=raw,if=virtio,cache=unsafe",
                   "-netdev", f"tap,id=front,ifname={self.name},script=no,downscript=no,queues=2",
                   "-device", f"virtio-net-pci,netdev=front,mac={self.mac},mq=on,vectors=6",
                   "-device", "virtio-rng-pci", "-serial", f"file:{self.console}"]
        with open(self.directory / "qemu.log", "ab") as log:
            self.qemu = subprocess.Popen(
                ["nsenter", f"--net={janitor.NETNS / self.lab.switch}", "--", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        janitor.record_process(self.lab.directory, self.qemu.pid)

        def answers():
            if self.qemu.poll() is not None:
                raise LabError("qemu ended: " + (self.directory / "qemu.log").read_text())
            return self.run("true", timeout=120).returncode == 0

        try:
            wait_until(answers, BOOT_SECONDS, f"{self.name} to boot")
        except LabError as error:
            raise LabError(f"{error}\n{self.console_tail()}") from None

    def power_off(self):
        stop_process(self.qemu, signal.SIGKILL)
        self.qemu = None
        self.lab.on_switch(f"ip link del {self.name}")

    @property
    def is_on(self):
        return self.qemu is not None

    def enter(self, argv):
        remote = shlex.join(map(str, argv))
        return self.lab.client.enter(["ssh", "-o", "ConnectTimeout=5", self.name, remote])

    def journal(self, lines=60):
        said = self.run("journalctl", "--no-pager", "-q", "-u", "basculed", "-n", str(lines),
                        timeout=120).stdout if self.is_on else ""
        return f"{self.console_tail()}\n{said}"
