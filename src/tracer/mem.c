/*
 * process_vm_readv(2), and /proc/PID/mem where a container's profile forbids it. The man page says
 * that a partial transfer ends at an iovec element; kernels 5.10 to 6.18 go on to the page.
 */
#include "tracer/mem.h"

#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool vm_calls_forbidden;

/*
 * EPERM can be about that tracee alone, which may have become one that cannot be dumped. Our own memory
 * may always be read, but for a filter.
 */
static bool are_vm_calls_forbidden(void)
{
	char from = 0, to;
	struct iovec local = { &to, 1 }, remote = { &from, 1 };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0;
}

static int open_mem(pid_t tid, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	return open(path, flags | O_CLOEXEC);
}

static ssize_t read_slow(pid_t tid, uint64_t addr, void *data, size_t len)
{
	int fd auto_close = open_mem(tid, O_RDONLY);
	size_t at = 0;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? -ESRCH : 0;
	while (at < len) {
		n = pread(fd, (char *)data + at, len - at, (off_t)(addr + at));
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

ssize_t mem_read(pid_t tid, uint64_t addr, void *data, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len && !vm_calls_forbidden) {
		struct iovec local = { (char *)data + at, len - at };
		struct iovec remote = { (void *)(uintptr_t)(addr + at), len - at };

		n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (n < 0 && errno == ESRCH)
			return -ESRCH;
		if (n < 0 && (errno == EPERM || errno == ENOSYS)) {
			vm_calls_forbidden = are_vm_calls_forbidden();
			break;
		}
		return (ssize_t)at;
	}
	if (at == len)
		return (ssize_t)len;
	n = read_slow(tid, addr + at, (char *)data + at, len - at);
	return n < 0 ? n : (ssize_t)at + n;
}

int mem_read_all(pid_t tid, uint64_t addr, void *data, size_t len)
{
	ssize_t n = mem_read(tid, addr, data, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

int mem_write(pid_t tid, uint64_t addr, const void *data, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)data, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	int fd auto_close = -1;
	ssize_t n;

	if (!vm_calls_forbidden) {
		n = process_vm_writev(tid, &local, 1, &remote, 1, 0);
		if (n == (ssize_t)len)
			return 0;
		if (n < 0 && errno == ESRCH)
			return -ESRCH;
		if (n >= 0 || errno == EFAULT)
			return -EFAULT;
	}
	fd = open_mem(tid, O_WRONLY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -EFAULT;
	return pwrite(fd, data, len, (off_t)addr) == (ssize_t)len ? 0 : -EFAULT;
}

ssize_t mem_read_string(pid_t tid, uint64_t addr, char *text, size_t cap)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t at = 0, want;
	char *end;
	ssize_t n;

	while (at < cap - 1) {
		want = (size_t)(page - (addr + at) % page);
		if (want > cap - 1 - at)
			want = cap - 1 - at;
		n = mem_read(tid, addr + at, text + at, want);
		if (n < 0)
			return n;
		end = memchr(text + at, '\0', (size_t)n);
		if (end)
			return end - text;
		if ((size_t)n < want)
			return -EFAULT;
		at += want;
	}
	text[at] = '\0';
	return (ssize_t)at;
}

/* One call for up to IOV_MAX pieces, which is the normal case; what is left is read piece by piece.
 */
static ssize_t gather_fast(pid_t tid, const struct iovec *pieces, size_t count, void *data,
			   size_t len)
{
	struct iovec local = { data, len };
	ssize_t n;

	if (vm_calls_forbidden || count > IOV_MAX)
		return 0;
	n = process_vm_readv(tid, &local, 1, pieces, count, 0);
	if (n >= 0)
		return n;
	return errno == ESRCH ? -ESRCH : 0;
}

ssize_t mem_gather(pid_t tid, const struct iovec *pieces, size_t count, void *data, size_t len)
{
	size_t at, skip, want;
	ssize_t n;

	if (count == 1)
		return mem_read(tid, (uint64_t)(uintptr_t)pieces->iov_base, data,
				len < pieces->iov_len ? len : pieces->iov_len);
	n = gather_fast(tid, pieces, count, data, len);
	if (n < 0)
		return n;
	at = (size_t)n;
	skip = at;
	for (size_t i = 0; i < count && at < len; i++) {
		if (skip >= pieces[i].iov_len) {
			skip -= pieces[i].iov_len;
			continue;
		}
		want = pieces[i].iov_len - skip;
		if (want > len - at)
			want = len - at;
		n = mem_read(tid, (uint64_t)(uintptr_t)pieces[i].iov_base + skip, (char *)data + at,
			     want);
		skip = 0;
		if (n < 0)
			return n;
		at += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return (ssize_t)at;
}
