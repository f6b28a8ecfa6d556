/* A library that is named like one for TLS; see blind.c. */
int blind_library(void);

int blind_library(void)
{
	return 1;
}
