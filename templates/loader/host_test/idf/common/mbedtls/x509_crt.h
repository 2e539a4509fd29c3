#pragma once
#include <stddef.h>
#include <stdint.h>
typedef struct { int tag; size_t len; unsigned char *p; } mbedtls_x509_buf;
typedef struct mbedtls_x509_crt { mbedtls_x509_buf raw, pk_raw; struct mbedtls_x509_crt *next; } mbedtls_x509_crt;
typedef struct mbedtls_x509_crl mbedtls_x509_crl;
void mbedtls_x509_crt_init(mbedtls_x509_crt *crt);
void mbedtls_x509_crt_free(mbedtls_x509_crt *crt);
int mbedtls_x509_crt_parse(mbedtls_x509_crt *chain, const unsigned char *buf, size_t size);
int mbedtls_x509_crt_parse_der(mbedtls_x509_crt *chain, const unsigned char *buf, size_t size);
int mbedtls_x509_crt_verify(mbedtls_x509_crt *crt, mbedtls_x509_crt *trusted, mbedtls_x509_crl *crl, const char *name,
                            uint32_t *flags, int (*look)(void *, mbedtls_x509_crt *, int, uint32_t *), void *context);
