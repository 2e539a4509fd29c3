/* What esp_eap_client.h has from its first version on. */
#pragma once
#include "esp_err.h"
typedef enum { ESP_EAP_TTLS_PHASE2_EAP, ESP_EAP_TTLS_PHASE2_MSCHAPV2 } esp_eap_ttls_phase2_types;
esp_err_t esp_wifi_sta_enterprise_enable(void);
esp_err_t esp_wifi_sta_enterprise_disable(void);
esp_err_t esp_eap_client_set_identity(const unsigned char *identity, int size);
esp_err_t esp_eap_client_set_username(const unsigned char *name, int size);
esp_err_t esp_eap_client_set_password(const unsigned char *password, int size);
esp_err_t esp_eap_client_set_ca_cert(const unsigned char *root, int size);
esp_err_t esp_eap_client_set_certificate_and_key(const unsigned char *certificate, int certificate_size,
                                                 const unsigned char *key, int key_size, const unsigned char *password,
                                                 int password_size);
esp_err_t esp_eap_client_set_ttls_phase2_method(esp_eap_ttls_phase2_types type);
