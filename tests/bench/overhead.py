#!/usr/bin/python3
"""What tracing costs: real loads, native, under strace and under iotrace, in turn, in one run.

    tests/bench/overhead [--iotrace PATH] [--pairs N] [--only redis,nginx,call]
                         [--modes native,strace,bpftrace,iotrace,stop]

Prints the median of each and its ratio to native, pair by pair; for iotrace also the stops of the
last run. Nothing is judged here: timings of a shared machine scatter, ratios of one run less.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STRACE = ['strace', '-f', '--seccomp-bpf', '-e', 'trace=network,read,write,readv,writev,sendfile',
          '-s', '65536', '-o', '/dev/null']
STRACE_P = ['strace', '-f', '-e', 'trace=network,read,write,readv,writev,sendfile', '-s', '65536',
            '-o', '/dev/null']


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Mode:
    """A way to run a command: with `prefix` in front, `attach` later, or `beside` it all the time."""

    def __init__(self, name, prefix=(), attach=None, beside=None):
        self.name, self.prefix, self.attach, self.beside = name, list(prefix), attach, beside


class Bpftrace:
    """tests/bench/peers/network.bt on the processes of a name; counts what it printed and lost."""

    def __init__(self, comm, directory):
        self.path = os.path.join(directory, 'bpftrace.out')
        with open(self.path, 'w') as out:
            self.process = subprocess.Popen(
                ['bpftrace', os.path.join(HERE, 'peers', 'network.bt'), comm], stdout=out,
                stderr=out, env={**os.environ, 'BPFTRACE_STRLEN': '200'})
        deadline = time.monotonic() + 30
        while not self._has_begun():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError('bpftrace does not start: it needs root and tracefs')
            time.sleep(0.05)

    def _has_begun(self):
        with open(self.path, errors='replace') as out:
            return any(line == 'ready\n' for line in out)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        printed = lost = 0
        with open(self.path, errors='replace') as out:
            for line in out:
                match = re.match(r'Lost (\d+) events', line)
                lost += int(match.group(1)) if match else 0
                printed += ' > ' in line or ' < ' in line
        return f'{printed} calls printed, {lost} lost, 200 bytes of each'


def modes(iotrace, out):
    return {
        'native': Mode('native'),
        'bpftrace': Mode('bpftrace', beside=Bpftrace),
        'strace': Mode('strace', STRACE),
        'strace-pin': Mode('strace-pin', ['taskset', '-c', '0'] + STRACE),
        'iotrace': Mode('iotrace', [iotrace, '-o', out, '--']),
        'stop': Mode('stop', [iotrace, '--engine', 'stop', '-o', out, '--']),
        # What decoding costs: the view of conversations, and calls as text.
        'text': Mode('text', [iotrace, '-o', out + '.txt', '--']),
        'calls': Mode('calls', [iotrace, '-vvvv', '-o', out + '.txt', '--']),
        'iotrace-pin': Mode('iotrace-pin', [iotrace, '--pin', '-o', out, '--']),
        'strace-p': Mode('strace-p', attach=STRACE_P + ['-p']),
        'iotrace-p': Mode('iotrace-p', attach=[iotrace, '-o', out, '-p']),
    }


def wait_port(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError('server ended early')
        try:
            socket.create_connection(('127.0.0.1', port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError('server does not listen')


def children(pid):
    try:
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            return [int(x) for x in f.read().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child] + descendants(child)
    return found


class Server:
    """A server under a mode, and how to stop it."""

    def __init__(self, mode, command, port):
        self.tracer = None
        self.process = subprocess.Popen(mode.prefix + command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        wait_port(port, self.process)
        if mode.attach:
            pids = [self.process.pid] + descendants(self.process.pid)
            if mode.attach[0] == 'strace':
                command = mode.attach[:-1] + sum((['-p', str(p)] for p in pids), [])
            else:
                command = mode.attach + [','.join(map(str, pids))]
            self.tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, start_new_session=True)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with open(f'/proc/{pids[-1]}/status') as f:
                    if 'TracerPid:\t0' not in f.read():
                        break
                time.sleep(0.01)

    def stop(self):
        if self.tracer:
            self.tracer.send_signal(signal.SIGINT)
            self.tracer.wait()
        targets = descendants(self.process.pid) or [self.process.pid]
        for pid in targets:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def load_pingpong(what):
    def run(mode, work):
        command = [os.path.join(work.bin, 'pingpong'), what, '1']
        if mode.attach:
            return None
        out = subprocess.run(mode.prefix + command, capture_output=True, text=True, check=True)
        return float(out.stdout.split()[-1])
    return run


def load_redis(*arguments):
    def run(mode, work):
        port = free_port()
        server = Server(mode, ['redis-server', '--port', str(port), '--save', '', '--bind',
                               '127.0.0.1'], port)
        requests = 20000 if mode.name.startswith('strace') else 200000
        # As many calls: what a start costs is not what is asked.
        if '-P' in arguments:
            requests *= int(arguments[arguments.index('-P') + 1])
        out = subprocess.run(['redis-benchmark', '-p', str(port), '-c', '20', '-n', str(requests),
                              '-t', 'set,get', '-q', *arguments], capture_output=True, text=True)
        server.stop()
        rates = [float(x) for x in re.findall(r'([\d.]+) requests per second', out.stdout)]
        return statistics.mean(rates)
    return run


NGINX = """daemon off; master_process on; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error;
events {}
http { access_log off; client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p;
fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
server { listen 127.0.0.1:%(port)d; root %(dir)s/www; } }
"""


def wrk(port):
    out = subprocess.run(['wrk', '-t1', '-c20', '-d2', f'http://127.0.0.1:{port}/'],
                         capture_output=True, text=True).stdout
    return float(re.search(r'Requests/sec:\s*([\d.]+)', out).group(1))


def load_nginx(mode, work):
    port = free_port()
    directory = tempfile.mkdtemp(dir=work.dir)
    os.chmod(directory, 0o755)
    os.mkdir(directory + '/www')
    with open(directory + '/www/index.html', 'w') as f:
        f.write('x' * 4096)
    with open(directory + '/conf', 'w') as f:
        f.write(NGINX % {'dir': directory, 'port': port})
    server = Server(mode, ['nginx', '-p', directory, '-c', directory + '/conf'], port)
    rate = wrk(port)
    server.stop()
    return rate


def load_go(mode, work):
    port = free_port()
    server = Server(mode, [work.go_server(), f'127.0.0.1:{port}'], port)
    rate = wrk(port)
    server.stop()
    return rate


def load_node(mode, work):
    port = free_port()
    script = ('require("http").createServer((q,r)=>r.end("x".repeat(1024)))'
              f'.listen({port},"127.0.0.1")')
    server = Server(mode, ['node', '-e', script], port)
    rate = wrk(port)
    server.stop()
    return rate


def timed(command):
    def run(mode, work):
        if mode.attach:
            return None
        start = time.monotonic()
        subprocess.run(mode.prefix + command(work), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        return 1 / (time.monotonic() - start)
    return run


def compile_job(work):
    source = os.path.join(work.dir, 'job')
    if not os.path.isdir(source):
        os.mkdir(source)
        for i in range(12):
            with open(f'{source}/f{i}.c', 'w') as f:
                f.write('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
                        '#include <unistd.h>\n')
                for j in range(150):
                    f.write(f'int f{i}_{j}(char *s) {{ char b[64]; snprintf(b, 64, "%s{j}", s); '
                            'return (int)strlen(b) + atoi(b); }\n')
        with open(source + '/Makefile', 'w') as f:
            f.write('all: ' + ' '.join(f'f{i}.o' for i in range(12)) + '\nCFLAGS=-O2\n')
    return ['sh', '-c', f'cd {source} && rm -f *.o && make -j2']


LOADS = {
    'echo': load_pingpong('echo'),
    'bulk': load_pingpong('bulk'),
    'redis': load_redis(),
    'redis-P16': load_redis('-P', '16'),
    'nginx': load_nginx,
    'go': load_go,
    'node': load_node,
    'find': timed(lambda work: ['find', '/usr']),
    'compile': timed(compile_job),
}

GO_SERVER = """package main
import ("net/http"; "os"; "strings")
func main() {
    body := []byte(strings.Repeat("x", 1024))
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write(body) })
    panic(http.ListenAndServe(os.Args[1], nil))
}
"""


class Work:
    def __init__(self, directory, binaries):
        self.dir, self.bin = directory, binaries

    def go_server(self):
        program = os.path.join(self.dir, 'server')
        if not os.path.exists(program):
            with open(program + '.go', 'w') as f:
                f.write(GO_SERVER)
            subprocess.run(['go', 'build', '-o', program, program + '.go'], check=True,
                           env={**os.environ, 'CGO_ENABLED': '0', 'GO111MODULE': 'off',
                                'GOCACHE': self.dir + '/gocache', 'HOME': self.dir})
        return program


# What bpftrace is to look for.
COMMS = {'echo': 'pingpong', 'bulk': 'pingpong', 'redis': 'redis-server', 'redis-P16': 'redis-server',
         'nginx': 'nginx', 'go': 'server', 'node': 'node'}

NEEDS = {'redis': 'redis-benchmark', 'redis-P16': 'redis-benchmark', 'nginx': 'wrk', 'go': 'go',
         'node': 'node', 'compile': 'make'}


def end_event(path, iotrace):
    """What a capture says at its end."""
    shown = subprocess.run([iotrace, 'show', '-f', 'jsonl', '--no-pager',
                            '--size', '1099511627776', path], capture_output=True, text=True)
    return json.loads(shown.stdout.splitlines()[-1])


def end_text(end):
    calls = end['calls']
    return (f"{end['stops']}, {calls['tap']} of {calls['tap'] + calls['stop']} calls by the tap, "
            f"lost {end['loss']['bytes']}")


def one(name, mode, work):
    """A rate, and what the tracer said; None where the mode does not go with the load."""
    if not mode.beside:
        return LOADS[name](mode, work), None
    if name not in COMMS:
        return None, None
    beside = mode.beside(COMMS[name], work.dir)
    try:
        rate = LOADS[name](mode, work)
    finally:
        told = beside.stop()
    return rate, told


def write_speed(directory):
    """Bytes a second of plain writes into a new file."""
    block = b'x' * 65536
    path = os.path.join(directory, 'plain')
    start = time.monotonic()
    with open(path, 'wb', buffering=0) as f:
        for _ in range(8192):
            f.write(block)
    speed = 8192 * len(block) / (time.monotonic() - start)
    os.unlink(path)
    return speed


def bulk_bound(native, directory):
    """
    What is left of `native` bytes a second when all is also written once to a file; twice, in fact:
    both ends are traced.
    """
    return 1 / (1 / native + 2 / write_speed(directory))


def per_call(iotrace, binaries, out):
    """A recorded call of 64 bytes, against the same call under a filter that lets it pass."""
    program = [os.path.join(binaries, 'pingpong'), 'count', '40']

    def ns(command):
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    plain, filtered, recorded = (statistics.median(column) for column in zip(*(
        (ns(program), ns(program + ['filtered']), ns([iotrace, '-o', out, '--'] + program))
        for _ in range(5))))
    os.unlink(out)
    print(f'a call of 64 bytes: native {plain:.0f} ns, filtered {filtered:.0f} ns, recorded '
          f'{recorded:.0f} ns: {recorded - filtered:.0f} ns for the record')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--iotrace', default=os.environ.get('IOTRACE', 'build/gcc/iotrace'))
    parser.add_argument('--bin', default=None, help='where pingpong was built')
    parser.add_argument('--pairs', type=int, default=3)
    parser.add_argument('--only')
    parser.add_argument('--modes', default='native,strace,bpftrace,iotrace,stop')
    args = parser.parse_args()
    iotrace = os.path.abspath(args.iotrace)
    binaries = args.bin or os.path.join(os.path.dirname(iotrace), 'tests', 'bench')
    shm = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory(dir=shm) as outs:
        os.chmod(directory, 0o755)
        out = os.path.join(outs, 'out.iot')
        all_modes = modes(iotrace, out)
        chosen = [all_modes[m] for m in args.modes.split(',')]
        work = Work(directory, binaries)
        print(f'{"load":10} {"mode":10} {"median":>12} {"of native":>10}  of native, each   stops')
        for name in (args.only.split(',') if args.only else LOADS):
            if name == 'call':
                continue
            missing = [m.name for m in chosen if m.beside and not shutil.which('bpftrace')]
            if missing:
                print('bpftrace is not installed')
                chosen = [m for m in chosen if not m.beside]
            if not shutil.which(NEEDS.get(name, 'sh')):
                print(f'{name:10} needs {NEEDS[name]}')
                continue
            rates = {mode.name: [] for mode in chosen}
            tails = {}
            for _ in range(args.pairs):
                for mode in chosen:
                    rate, told = one(name, mode, work)
                    rates[mode.name].append(rate)
                    if told:
                        tails[mode.name] = told
                    if os.path.exists(out):
                        tails[mode.name] = end_text(end_event(out, iotrace))
                        os.unlink(out)
            for mode in chosen:
                mine = [r for r in rates[mode.name] if r]
                if not mine:
                    continue
                ratios = [r / n for r, n in zip(mine, rates[chosen[0].name])]
                print(f'{name:10} {mode.name:10} {statistics.median(mine):12.1f} '
                      f'{statistics.median(ratios):10.3f}  '
                      f'{" ".join(f"{r:.3f}" for r in ratios)}   {tails.get(mode.name, "")}', flush=True)
            if name == 'bulk' and rates['native']:
                native = statistics.median(rates['native'])
                print(f'{"":10} {"bound":10} {bulk_bound(native, outs):12.1f}             '
                      'native and plain writes of the same bytes')
        if not args.only or 'call' in args.only.split(','):
            per_call(iotrace, binaries, out)


if __name__ == '__main__':
    sys.exit(main())
