#pragma once
#include "mbedtls/x509_crt.h"
#define MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE -0x7780
typedef struct mbedtls_ssl_context mbedtls_ssl_context;
const mbedtls_x509_crt *mbedtls_ssl_get_peer_cert(const mbedtls_ssl_context *ssl);
