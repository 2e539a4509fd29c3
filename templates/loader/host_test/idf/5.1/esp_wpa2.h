#pragma once
#include "esp_err.h"
typedef enum { ESP_EAP_TTLS_PHASE2_EAP, ESP_EAP_TTLS_PHASE2_MSCHAPV2 } esp_eap_ttls_phase2_types;
esp_err_t esp_wifi_sta_wpa2_ent_enable(void);
esp_err_t esp_wifi_sta_wpa2_ent_disable(void);
esp_err_t esp_wifi_sta_wpa2_ent_set_identity(const unsigned char *identity, int size);
esp_err_t esp_wifi_sta_wpa2_ent_set_username(const unsigned char *name, int size);
esp_err_t esp_wifi_sta_wpa2_ent_set_password(const unsigned char *password, int size);
esp_err_t esp_wifi_sta_wpa2_ent_set_ca_cert(const unsigned char *root, int size);
esp_err_t esp_wifi_sta_wpa2_ent_set_cert_key(const unsigned char *certificate, int certificate_size, const unsigned char *key,
                                             int key_size, const unsigned char *password, int password_size);
esp_err_t esp_wifi_sta_wpa2_ent_set_ttls_phase2_method(esp_eap_ttls_phase2_types type);
