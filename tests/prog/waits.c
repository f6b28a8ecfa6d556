/* Talks to itself, prints its number and waits for the end of its input. */
#include "tapped.h"

#include <stdio.h>

int main(void)
{
	char text[100];
	int fds[2];

	tcp_pair(AF_INET, fds);
	for (int i = 0; i < 10; i++) {
		check(write(fds[0], "there", 5) == 5);
		check(read(fds[1], text, sizeof(text)) == 5);
	}
	snprintf(text, sizeof(text), "%d\n", getpid());
	check(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
	return read(STDIN_FILENO, text, sizeof(text)) != 0;
}
