#!/usr/bin/python3
"""Runs a command of this machine under another kernel, in a virtual machine.

    apt-get download linux-image-6.1.0-49-amd64 && dpkg -x linux-image-*.deb kernel
    tests/vm/run.py --kernel kernel -- ctest --test-dir build -L prog -R ktls

The guest sees this machine's files, read-only, under the same names: what it writes goes to its memory.
So a build directory is tested there as it is here, by the same libraries and programs. For what this
kernel was built without: kernel TLS, SCTP, DCCP, AF_XDP. Wants qemu-system-x86_64, cpio and a static
busybox. Ends with the command's status; 125: the guest did not get so far.
"""
import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

FAILED = 125
# What the root needs; the rest is loaded when the kernel or a test asks for it.
NEEDED = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]
WANTED = ["tls", "sctp", "dccp_ipv4", "udp_diag", "tcp_diag", "unix_diag"]

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {needed}; do modprobe $module || poweroff -f; done
mkdir -p /host /memory /root
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host || poweroff -f
mount -t tmpfs -o size=75% memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root || poweroff -f
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t devtmpfs dev /root/dev
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts -o ptmxmode=666 pts /root/dev/pts
mount -t tmpfs shm /root/dev/shm
mount -t tmpfs run /root/run
# The kernel looks for it, and for the modules, in the first root.
echo /bin/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
for module in {wanted}; do modprobe $module 2>/dev/null; done
stty -F /dev/ttyS1 raw -echo
chroot /root /bin/sh -c {command} < /dev/null > /dev/ttyS1 2>&1
echo "status $?" > /dev/ttyS0
sync
poweroff -f
"""


def say(*what):
    print("vm:", *what, file=sys.stderr)
    sys.exit(FAILED)


def find_kernel(directory):
    """The image and the version of an unpacked package."""
    boot, modules = os.path.join(directory, "boot"), os.path.join(directory, "lib/modules")
    try:
        images = sorted(n for n in os.listdir(boot) if n.startswith("vmlinuz-"))
    except FileNotFoundError:
        images = []
    if not images:
        say("no boot/vmlinuz-* in", directory)
    version = images[-1].removeprefix("vmlinuz-")
    if not os.path.isdir(os.path.join(modules, version)):
        say("no lib/modules/%s in" % version, directory)
    return os.path.join(boot, images[-1]), version


def modules_of(base, names):
    """The files of these modules and of all that they need."""
    needs = {}
    with open(os.path.join(base, "modules.dep"), encoding="utf-8") as file:
        for line in file:
            path, _, others = line.partition(":")
            needs[os.path.basename(path).split(".")[0].replace("-", "_")] = [path] + others.split()
    return sorted({path for name in names for path in needs.get(name, [])})


def make_initramfs(directory, kernel, version, command):
    root = os.path.join(directory, "root")
    base = os.path.join(kernel, "lib/modules", version)
    for name in ["bin", "proc", "sys", "dev"]:
        os.makedirs(os.path.join(root, name))
    busybox = shutil.which("busybox")
    shutil.copy(busybox, os.path.join(root, "bin/busybox"))
    if not os.path.exists(os.path.join(base, "modules.dep")):
        subprocess.run([busybox, "depmod", "-b", os.path.abspath(kernel), version], check=True)
    inside = os.path.join(root, "lib/modules", version)
    # Whole folders of what the tests may ask for: the guest's root has no other modules.
    paths = modules_of(base, NEEDED + WANTED)
    for folder in ["kernel/net", "kernel/crypto", "kernel/arch/x86/crypto", "kernel/lib"]:
        for where, _, files in os.walk(os.path.join(base, folder)):
            paths += [os.path.relpath(os.path.join(where, f), base) for f in files]
    for path in sorted(set(paths)):
        os.makedirs(os.path.dirname(os.path.join(inside, path)), exist_ok=True)
        shutil.copy(os.path.join(base, path), os.path.join(inside, path))
    for name in os.listdir(base):
        if name.startswith("modules."):
            shutil.copy(os.path.join(base, name), inside)
    with open(os.path.join(root, "init"), "w", encoding="utf-8") as file:
        file.write(INIT.format(needed=" ".join(NEEDED), wanted=" ".join(WANTED),
                               command=shlex.quote(command)))
    os.chmod(os.path.join(root, "init"), 0o755)
    names = subprocess.run(["find", "."], cwd=root, check=True, capture_output=True).stdout
    image = os.path.join(directory, "initramfs")
    with open(image, "wb") as file:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=file,
                       check=True)
    return image


def command_text(argv):
    """The command in this directory, with what it may need of this environment."""
    env = {name: os.environ[name] for name in ("PATH", "LANG", "IOTRACE") if name in os.environ}
    env["HOME"] = "/run"
    words = ["env", "-i"] + ["%s=%s" % pair for pair in env.items()] + argv
    return "cd %s && exec %s" % (shlex.quote(os.getcwd()), shlex.join(words))


def run(arguments, directory):
    image, version = find_kernel(arguments.kernel)
    initramfs = make_initramfs(directory, arguments.kernel, version, command_text(arguments.command))
    console = os.path.join(directory, "console")
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
            "-machine", "q35,accel=" + ("kvm" if arguments.kvm else "tcg"),
            "-cpu", "host" if arguments.kvm else "max,la57=off", "-smp", str(arguments.cpus), "-m", str(arguments.memory),
            "-kernel", image, "-initrd", initramfs,
            "-append", "console=ttyS0 quiet panic=-1 tsc=reliable " + arguments.append,
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
            "-serial", "file:" + console, "-serial", "stdio"]
    try:
        subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=arguments.limit, check=False)
    except subprocess.TimeoutExpired:
        print("vm: not done within %d s" % arguments.limit, file=sys.stderr)
    with open(console, encoding="utf-8", errors="replace") as file:
        said = file.read().splitlines()
    status = [line.split()[1] for line in said if line.startswith("status ")]
    if not status or arguments.console:
        print("\n".join(said), file=sys.stderr)
    return int(status[0]) if status else FAILED


def main():
    parser = argparse.ArgumentParser(usage="%(prog)s --kernel DIR [OPTION]... -- COMMAND...")
    parser.add_argument("--kernel", required=True, metavar="DIR", help="an unpacked package of a kernel")
    parser.add_argument("--memory", type=int, default=3072, help="MiB")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--limit", type=float, default=3600, help="seconds")
    parser.add_argument("--append", default="", help="more words for the kernel's command line")
    parser.add_argument("--console", action="store_true", help="show what the kernel said")
    parser.add_argument("--kvm", action="store_true", help="by this processor; it may hang in a machine "
                                                           "that is a guest itself")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    for program in ("qemu-system-x86_64", "cpio", "busybox"):
        if not shutil.which(program):
            say("needs", program)
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(run(arguments, directory))


if __name__ == "__main__":
    main()
