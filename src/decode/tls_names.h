/* What the numbers in TLS hellos are called (IANA, TLS Parameters). */
#ifndef DECODE_TLS_NAMES_H
#define DECODE_TLS_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* Reserved values that clients send so that servers learn to ignore the unknown (RFC 8701). */
bool tls_is_grease(uint16_t value);

/* "1.3"; NULL for what is no version. */
const char *tls_version_name(uint16_t version);

/* "TLS_AES_128_GCM_SHA256"; NULL for those that are not in the table. */
const char *tls_cipher_name(uint16_t cipher);

/* "handshake_failure"; NULL. */
const char *tls_alert_name(uint8_t alert);

#endif
