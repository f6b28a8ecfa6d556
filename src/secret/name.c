#include "secret/name.h"

const char *const secret_headers[] = {
	"authorization",
	"proxy-authorization",
	"proxy-authenticate",
	"authentication-info",
	"cookie",
	"set-cookie",
	"cookie2",
	"set-cookie2",
	"x-api-key",
	"api-key",
	"apikey",
	"x-apikey",
	"x-auth-token",
	"x-access-token",
	"x-auth-key",
	"x-session-token",
	"x-session-id",
	"x-csrf-token",
	"x-xsrf-token",
	"x-vault-token",
	"private-token",
	"job-token",
	"x-amz-security-token",
	"x-goog-api-key",
	"x-goog-iam-authorization-token",
	"x-shopify-access-token",
	"x-functions-key",
	"x-encryption-key",
	"ocp-apim-subscription-key",
	"x-hub-signature",
	"x-hub-signature-256",
	"x-signature",
	"stripe-signature",
	"x-slack-signature",
	"x-gitlab-token",
	"x-auth-signature",
	NULL,
};

/* Ends of names, without '-', '_' and case. */
static const char *const ends[] = {
	"password",      "passwords",       "passwd",      "passphrase",
	"secret",        "secrets",         "token",       "apikey",
	"accesskey",     "secretkey",       "privatekey",  "signingkey",
	"pwd",           "credential",      "credentials", "sessionid",
	"authorization", "sessionkey",      "signature",   "jwt",
	"clientsecret",  "authkey",         "bearer",      "accesskeyid",
	"cookie",        "requirepass",     "masterauth",  "functionskey",
	"encryptionkey", "subscriptionkey", "passcode",    NULL,
};

/* What stands behind the name of what is asked for again, to be sure of it; a number does, too. */
static const char *const agains[] = { "confirmation", "confirm", "again", "repeat", NULL };

/* Whole names; from QUERY_NAMES on those that are secrets in a query alone. */
static const char *const wholes[] = { "auth", "pass", "pw",   "sid", "sig",
				      "pin",  "otp",  "code", "key", NULL };
#define QUERY_NAMES 7

/* Anywhere in the name of a header or a variable, in lower case. */
static const char *const words[] = { "token",       "secret",     "passw",      "passphrase",
				     "apikey",      "api_key",    "api-key",    "private_key",
				     "private-key", "access_key", "access-key", "credential",
				     NULL };

/* Keys of something else. */
static const char *const no_secrets[] = { "sec-websocket-key", "idempotency-key", "surrogate-key",
					  NULL };

static const char *const settings[] = { "requirepass", "masterauth", "tls-key-file-pass",
					"tls-client-key-file-pass", NULL };

/* The character that is escaped there, 0: none; *ret_len bytes of the text are its. */
static char escaped(struct span text, size_t *ret_len)
{
	size_t skip = span_starts(text, SPAN("%")) ? 1 : span_starts(text, SPAN("\\u00")) ? 4 : 0;
	uint64_t code = 0;

	if (!skip || text.len < skip + 2 || !span_number(span_cut(text, skip, 2), 16, &code))
		return 0;
	*ret_len = skip + 2;
	return (char)code;
}

/* The name as the tables have it: of a long one the end. Its length. */
static size_t plain(struct span name, char text[64])
{
	size_t len = 0, step;

	for (size_t i = 0; i < name.len; i += step) {
		char c = escaped(span_cut(name, i, name.len), &step);

		if (!c) {
			c = (char)name.data[i];
			step = 1;
		}
		if (c && strchr("-_.[]", c))
			continue;
		if (len == 64) {
			memmove(text, text + 1, 63);
			len--;
		}
		text[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return len;
}

/* Which of them the text ends with; NULL: none. */
static const char *end_of(const char *const *all, const char *text, size_t len)
{
	for (; *all; all++)
		if (len >= strlen(*all) && !memcmp(text + len - strlen(*all), *all, strlen(*all)))
			return *all;
	return NULL;
}

/* Its length without what makes a second one of it. */
static size_t once_len(const char *text, size_t len)
{
	const char *again;

	while (len && text[len - 1] >= '0' && text[len - 1] <= '9')
		len--;
	again = end_of(agains, text, len);
	return again ? len - strlen(again) : len;
}

bool secret_is_name(struct span name, bool query)
{
	char text[64];
	size_t len = plain(name, text);

	if (end_of(ends, text, once_len(text, len)))
		return true;
	for (size_t i = 0; wholes[i] && (query || i < QUERY_NAMES); i++)
		if (len == strlen(wholes[i]) && !memcmp(text, wholes[i], len))
			return true;
	return false;
}

static bool has_word(struct span name)
{
	for (const char *const *word = words; *word; word++)
		if (span_has_nocase(name, span_text(*word)))
			return true;
	return false;
}

static bool is_one_of(struct span name, const char *const *names)
{
	for (; *names; names++)
		if (span_equal_nocase(name, span_text(*names)))
			return true;
	return false;
}

static bool ends_with(struct span name, const char *end)
{
	size_t len = strlen(end);

	return name.len > len &&
	       span_equal_nocase(span_cut(name, name.len - len, len), span_text(end));
}

bool secret_is_header(struct span name)
{
	return is_one_of(name, secret_headers) || secret_is_name(name, false) || has_word(name) ||
	       (ends_with(name, "-key") && !is_one_of(name, no_secrets));
}

bool secret_is_setting(struct span name)
{
	return is_one_of(name, settings);
}

bool secret_is_variable(struct span name)
{
	return has_word(name) || ends_with(name, "_key");
}
