/* The table of protocols. */
#include "decode/decoder.h"

#include <string.h>

/*
 * Those whose first bytes leave no doubt come first, those that look at one line of text last, so that
 * a doubtful one cannot take what is another's.
 */
const struct decoder *const decoders[] = {
	&decoder_tls,   &decoder_http2, &decoder_postgres, &decoder_mysql,     &decoder_dns,
	&decoder_redis, &decoder_http1, &decoder_smtp,     &decoder_websocket, NULL,
};

const struct decoder *decoder_find(const char *name)
{
	for (size_t i = 0; decoders[i]; i++)
		if (!strcmp(decoders[i]->name, name))
			return decoders[i];
	return strcmp(name, decoder_data.name) ? NULL : &decoder_data;
}

enum sniffed sniff_sides(const struct sniff *sniff, enum sniffed (*as_client)(struct span said),
			 enum sniffed (*as_server)(struct span said), int *ret_client)
{
	enum sniffed all = SNIFF_NO, now;

	for (int dir = 0; dir < DIRS; dir++) {
		struct span said = sniff->said[dir];

		for (int role = 0; role < 2 && said.len; role++) {
			if (!(role ? as_server : as_client))
				continue;
			now = (role ? as_server : as_client)(said);
			if (now == SNIFF_YES) {
				*ret_client = role ? !dir : dir;
				return SNIFF_YES;
			}
			all = now == SNIFF_MORE ? SNIFF_MORE : all;
		}
	}
	return all;
}

enum sniffed sniff_start(struct span said, struct span start)
{
	size_t len = said.len < start.len ? said.len : start.len;

	if (memcmp(said.data, start.data, len))
		return SNIFF_NO;
	return said.len < start.len ? SNIFF_MORE : SNIFF_YES;
}
