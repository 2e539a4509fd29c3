#pragma once
#include <sys/types.h>
#include "esp_err.h"
typedef struct esp_tls esp_tls_t;
typedef struct esp_tls_last_error *esp_tls_error_handle_t;
typedef struct {
	const unsigned char *cacert_buf;
	unsigned int cacert_bytes;
	const unsigned char *clientcert_buf;
	unsigned int clientcert_bytes;
	const unsigned char *clientkey_buf;
	unsigned int clientkey_bytes;
	int timeout_ms;
	const char *common_name;
} esp_tls_cfg_t;
esp_tls_t *esp_tls_init(void);
int esp_tls_conn_new_sync(const char *host, int size, int port, const esp_tls_cfg_t *config, esp_tls_t *tls);
ssize_t esp_tls_conn_read(esp_tls_t *tls, void *to, size_t size);
ssize_t esp_tls_conn_write(esp_tls_t *tls, const void *from, size_t size);
int esp_tls_conn_destroy(esp_tls_t *tls);
esp_err_t esp_tls_get_conn_sockfd(esp_tls_t *tls, int *fd);
void *esp_tls_get_ssl_context(esp_tls_t *tls);
esp_err_t esp_tls_get_error_handle(esp_tls_t *tls, esp_tls_error_handle_t *handle);
esp_err_t esp_tls_get_and_clear_last_error(esp_tls_error_handle_t handle, int *code, int *flags);
