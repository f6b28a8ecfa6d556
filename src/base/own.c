/* Memory that is always there: a tracer without memory can only end. */
#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *ptr)
{
	static const char message[] = "iotrace: out of memory\n";

	if (ptr)
		return ptr;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(125);
	_exit(125);
}

void *own_alloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *own_zalloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *own_realloc(void *ptr, size_t size)
{
	return checked(realloc(ptr, size ? size : 1));
}

char *own_strdup(const char *text)
{
	return checked(strdup(text));
}

char *own_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return checked(text);
}

void own_free_ptr(void *ptr)
{
	free(*(void **)ptr);
}

void own_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
