#!/usr/bin/python3
"""What plaintext costs: HTTPS servers, native, traced without and with probes, by stops, also pinned; strace.

    tests/bench/tls [--iotrace PATH] [--pairs N] [--only go,nginx]

wrk with 20 connections that stay; 1 KiB an answer. For iotrace with probes also the stops per request. With
breakpoints (--engine stop) a probed call takes two, at its entry and at its return; nginx and Go make
three a request: a read that finds it, the write, and a read that finds nothing (Go's is ended by the
answer).
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from overhead import STRACE, Mode, Server, free_port

GO_SERVER = """package main
import ("net/http"; "os"; "strings")
func main() {
    body := []byte(strings.Repeat("x", 1024))
    http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write(body) })
    panic(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], nil))
}
"""

NGINX = """daemon off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error;
events {}
http { access_log off; client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p;
fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
server { listen 127.0.0.1:%(port)d ssl; ssl_certificate %(cert)s; ssl_certificate_key %(key)s;
location / { return 200 "%(body)s"; } } }
"""


class Work:
    def __init__(self, directory):
        self.dir = directory
        self.cert, self.key = directory + '/cert.pem', directory + '/key.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost', '-days', '2',
                        '-keyout', self.key, '-out', self.cert], check=True,
                       stderr=subprocess.DEVNULL)
        os.chmod(self.key, 0o644)

    def go(self, port):
        program = self.dir + '/server'
        if not os.path.exists(program):
            with open(program + '.go', 'w') as f:
                f.write(GO_SERVER)
            subprocess.run(['go', 'build', '-o', program, program + '.go'], check=True,
                           env={**os.environ, 'CGO_ENABLED': '0', 'GO111MODULE': 'off',
                                'GOCACHE': self.dir + '/gocache', 'HOME': self.dir})
        return [program, f'127.0.0.1:{port}', self.cert, self.key]

    def nginx(self, port):
        with open(self.dir + '/conf', 'w') as f:
            f.write(NGINX % {'dir': self.dir, 'port': port, 'cert': self.cert, 'key': self.key,
                             'body': 'x' * 1024})
        return ['nginx', '-p', self.dir, '-c', self.dir + '/conf']


def rate(mode, command, port):
    server = Server(mode, command, port)
    out = subprocess.run(['wrk', '-t1', '-c20', '-d3', f'https://127.0.0.1:{port}/'],
                         capture_output=True, text=True).stdout
    server.stop()
    return (float(re.search(r'Requests/sec:\s*([\d.]+)', out).group(1)),
            int(re.search(r'(\d+) requests in', out).group(1)))


def probed(iotrace, path, requests):
    """What the capture says of its cost."""
    argv = [iotrace, 'show', '--no-pager', '-f', 'jsonl', '--layer', 'plain', path]
    calls, line = 0, ''
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as shown:
        for line in shown.stdout:
            calls += '"layer":"plain"' in line
    end = json.loads(line)
    return (f'{end["stops"] / requests:.2f} stops and {calls / requests:.2f} events of plaintext a '
            f'request, lost {end["loss"]["bytes"]}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--iotrace', default=os.environ.get('IOTRACE', 'build/gcc/iotrace'))
    parser.add_argument('--pairs', type=int, default=3)
    parser.add_argument('--only', default='go,nginx')
    args = parser.parse_args()
    iotrace = os.path.abspath(args.iotrace)
    shm = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory(dir=shm) as outs:
        os.chmod(directory, 0o755)
        work, out = Work(directory), os.path.join(outs, 'out.iot')
        modes = [Mode('native'), Mode('without probes', [iotrace, '--no-tls', '-o', out, '--']),
                 Mode('probes', [iotrace, '-o', out, '--']),
                 Mode('probes, stops', [iotrace, '--engine', 'stop', '-o', out, '--']),
                 Mode('… pinned', [iotrace, '--engine', 'stop', '--pin', '-o', out, '--']), Mode('strace', STRACE)]
        print(f'{"server":8} {"mode":15} {"requests/s":>10} {"of native":>10}')
        for name in args.only.split(','):
            if not shutil.which('wrk') or not shutil.which(name):
                print(f'{name}: needs {name} and wrk')
                continue
            rates, told = {mode.name: [] for mode in modes}, ''
            for _ in range(args.pairs):
                for mode in modes:
                    port = free_port()
                    per_second, requests = rate(mode, getattr(work, name)(port), port)
                    rates[mode.name].append(per_second)
                    if mode.name == 'probes':
                        told = probed(iotrace, out, requests)
            for mode in modes:
                ratios = [r / n for r, n in zip(rates[mode.name], rates['native'])]
                print(f'{name:8} {mode.name:15} {statistics.median(rates[mode.name]):10.0f} '
                      f'{statistics.median(ratios):10.3f}   '
                      f'{told if mode.name == "probes" else ""}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
