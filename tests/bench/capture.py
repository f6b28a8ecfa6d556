#!/usr/bin/python3
"""What captures cost: writing each format, tracing a bulk stream into one, and reading 1 GB.

    tests/bench/capture [--iotrace PATH] [--bin DIR] [--megabytes N]

All files are on /dev/shm where there is one. Reading is compared with cat, and with tshark on the
exported packets, which is also a lower bound for whoever dissects them.
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time


def run(command):
    """Seconds, and the command's largest resident set in bytes."""
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f'{command[0]} ended with {os.waitstatus_to_exitcode(status)}')
    return time.monotonic() - start, usage.ru_maxrss * 1024


def formats(args, directory):
    for kind, what in ('bulk', '64 KiB an event'), ('small', '64 bytes an event'):
        for name in 'iot', 'jsonl', 'pcapng':
            path = os.path.join(directory, 'out.' + name)
            out = subprocess.run([args.sinks, name, path, kind, '512'], capture_output=True,
                                 text=True, check=True).stdout
            print('{:18} {:7} {:>6} MB/s of payload {:>9} events/s'.format(what, name, *out.split()))
            os.unlink(path)


def live(args, directory):
    path = os.path.join(directory, 'live.iot')
    start = time.monotonic()
    subprocess.run([args.iotrace, '-o', path, '--', args.pingpong, 'bulk', '3'],
                   stdout=subprocess.DEVNULL, check=True)
    rate = os.path.getsize(path) / (time.monotonic() - start)
    print(f'a bulk stream, both ends traced, into .iot: {rate / 1e6:.0f} MB/s of capture')
    os.unlink(path)


def reading(args, directory):
    path, packets = (os.path.join(directory, name) for name in ('big.iot', 'big.pcapng'))
    subprocess.run([args.sinks, 'iot', path, 'bulk', str(args.megabytes)],
                   stdout=subprocess.DEVNULL, check=True)
    size = os.path.getsize(path)
    cat, _ = run(['cat', path])
    print(f'a capture of {size / 1e6:.0f} MB: cat {size / cat / 1e6:.0f} MB/s')
    for how in ['-f', 'text'], ['-f', 'hex'], ['-f', 'jsonl'], ['-f', 'iot']:
        took, memory = run([args.iotrace, 'show', '--no-pager', *how, path])
        print(f'show {" ".join(how):9} {size / took / 1e6:6.0f} MB/s  {took / cat:6.1f} of cat  '
              f'{memory / 1e6:.0f} MB of memory')
    took, memory = run([args.iotrace, 'export', path, '-o', packets])
    print(f'export pcapng  {size / took / 1e6:6.0f} MB/s  {took / cat:6.1f} of cat  '
          f'{memory / 1e6:.0f} MB of memory')

def dissected(args, directory):
    """A smaller one: tshark keeps all of it."""
    path, packets = (os.path.join(directory, name) for name in ('less.iot', 'less.pcapng'))
    subprocess.run([args.sinks, 'iot', path, 'bulk', '32'], stdout=subprocess.DEVNULL, check=True)
    export, _ = run([args.iotrace, 'export', path, '-o', packets])
    show, _ = run([args.iotrace, 'show', '--no-pager', '-f', 'text', path])
    theirs, memory = run(['tshark', '-r', packets, '-x'])
    print(f'32 MB as hexdump: show {show:.2f} s; export {export:.2f} s and tshark -x {theirs:.1f} s '
          f'with {memory / 1e6:.0f} MB of memory: {theirs / show:.0f} times')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--iotrace', default=os.environ.get('IOTRACE', 'build/gcc/iotrace'))
    parser.add_argument('--bin', default=None, help='where sinks and pingpong were built')
    parser.add_argument('--megabytes', type=int, default=1024)
    args = parser.parse_args()
    args.iotrace = os.path.abspath(args.iotrace)
    binaries = args.bin or os.path.join(os.path.dirname(args.iotrace), 'tests', 'bench')
    args.sinks, args.pingpong = (os.path.join(binaries, p) for p in ('sinks', 'pingpong'))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    shm = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shm) as directory:
        formats(args, directory)
        live(args, directory)
        reading(args, directory)
        if shutil.which('tshark'):
            dissected(args, directory)


if __name__ == '__main__':
    sys.exit(main())
