/* A library that is loaded late; built twice, so that the same place has other code. */
#include "hooked.h"

#ifdef HOOKED_OTHER
HOOKED long late_hooked(const void *data, long len)
{
	const char *text = data;
	volatile long sum = 0;

	for (long i = 0; i < len; i++)
		sum += text[i] * i;
	return sum ? len : -1;
}
#else
HOOKED long late_hooked(const void *data, long len)
{
	char room[64];

	memcpy(room, data, (size_t)len);
	__asm__ volatile("" ::"r"(room) : "memory");
	return len;
}
#endif
