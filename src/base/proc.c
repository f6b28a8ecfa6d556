#include "base/proc.h"

#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t proc_read_file(const char *path, char *data, size_t cap)
{
	int fd auto_close = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < cap - 1) {
		n = read(fd, data + len, cap - 1 - len);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	return (ssize_t)len;
}

ssize_t proc_read(pid_t pid, const char *name, char *data, size_t cap)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return proc_read_file(path, data, cap);
}

int64_t proc_status(pid_t pid, const char *key)
{
	char text[8192], *line, *save = NULL;
	size_t len = strlen(key);
	ssize_t n = proc_read(pid, "status", text, sizeof(text));

	if (n < 0)
		return n;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	return -ENOENT;
}

static uint64_t set_in(const char *status, const char *key)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

int proc_signals(pid_t tid, struct proc_signals *ret_signals)
{
	char text[8192];
	ssize_t n = proc_read(tid, "status", text, sizeof(text));

	if (n < 0)
		return (int)n;
	*ret_signals = (struct proc_signals){ .own = set_in(text, "\nSigPnd:"),
					      .shared = set_in(text, "\nShdPnd:"),
					      .blocked = set_in(text, "\nSigBlk:"),
					      .ignored = set_in(text, "\nSigIgn:"),
					      .caught = set_in(text, "\nSigCgt:") };
	return 0;
}

ssize_t proc_link(pid_t pid, const char *name, char *text, size_t cap)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, text, cap - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

int64_t proc_socket_inode(pid_t pid, int fd)
{
	char name[32], text[64];
	unsigned long long inode;
	ssize_t n;

	snprintf(name, sizeof(name), "fd/%d", fd);
	n = proc_link(pid, name, text, sizeof(text));
	if (n < 0)
		return n;
	return sscanf(text, "socket:[%llu]", &inode) == 1 ? (int64_t)inode : 0;
}

int proc_each(pid_t pid, const char *dir, void (*each)(void *ctx, int number), void *ctx)
{
	char path[64];
	struct dirent *entry;
	DIR *stream;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, dir);
	stream = opendir(path);
	if (!stream)
		return -errno;
	while ((entry = readdir(stream)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			each(ctx, atoi(entry->d_name));
	closedir(stream);
	return 0;
}
