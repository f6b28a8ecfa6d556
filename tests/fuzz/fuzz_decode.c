/*
 * A decoder is given any bytes, in any pieces, from either side, with gaps; whatever they are, it must
 * neither crash nor depend on how they are cut (tests/unit/recorded.h).
 */
#include "../unit/recorded.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	return recorded_fuzz(data, len, FUZZ_PROTOCOL);
}
