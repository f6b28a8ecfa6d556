/* A library that is named like one for TLS, or has what is in one; see blind.c. */
int blind_library(void);

#ifdef LABEL
extern const char blind_label[];
const char blind_label[] = LABEL;
#endif

int blind_library(void)
{
	return 1;
}
