#pragma once
#include "esp_eap_client_base.h"
typedef enum { ESP_EAP_TYPE_TLS = 1, ESP_EAP_TYPE_TTLS = 2, ESP_EAP_TYPE_PEAP = 4 } esp_eap_method_t;
esp_err_t esp_eap_client_set_domain_name(const char *name);
esp_err_t esp_eap_client_set_eap_methods(esp_eap_method_t methods);
