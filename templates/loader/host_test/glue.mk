# The board side (../main, ../components/tcpboot_chip, tcpboot_app) against declarations
# of ESP-IDF that we wrote ourselves, in idf: each version, each network, each method, by
# two compilers. It shows that the glue is C and calls what we believe is there. Only a
# build with ESP-IDF shows that it is there, and only a board that it works.

LOADER   ?= ..
MAIN     := $(LOADER)/main
CHIP     := $(LOADER)/components/tcpboot_chip
VERSIONS := 5.1 5.5 6.x
FLAGS    := -fsyntax-only -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -I$(LOADER)/components/tcpboot/include -I$(LOADER)/components/tcpboot_chip/include \
            -I$(LOADER)/components/tcpboot_app/include -I$(MAIN) -Iidf/common
BOTH     := $(filter-out %/wifi.c %/eap.c %/ethernet.c %/credential_%.c,$(wildcard $(MAIN)/*.c)) \
            $(wildcard $(LOADER)/components/tcpboot_chip/*.c $(LOADER)/components/tcpboot_app/*.c)
WIFI     := $(MAIN)/wifi.c $(MAIN)/eap.c
ETHERNET := $(MAIN)/ethernet.c
PARTITION := $(MAIN)/credential_partition.c $(MAIN)/credential.h

# what Kconfig would choose, a word per build
WIFI_CHOICES     := -DCONFIG_TCPBOOT_EAP_TLS=1 -DCONFIG_TCPBOOT_EAP_PEAP=1 -DCONFIG_TCPBOOT_EAP_TTLS=1 -DCONFIG_TCPBOOT_WPA3=1
ETHERNET_CHOICES := -DCONFIG_ETH_USE_ESP32_EMAC=1 -DCONFIG_TCPBOOT_ETHERNET_OPENETH=1,-DCONFIG_ETH_USE_OPENETH=1

ENCRYPTED := -DCONFIG_NVS_ENCRYPTION=1
DERIVED   := -DCONFIG_NVS_ENCRYPTION=1 -DCONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC=1

comma := ,
compile = for cc in gcc clang; do for v in $(or $(3),$(VERSIONS)); do for f in $(1); do \
	$$cc $(FLAGS) -Iidf/$$v $(2) $$f; done; done; done

.PHONY: glue
glue:
	@set -e; $(call compile,$(BOTH) $(wildcard $(MAIN)/credential_*.c),)
	@set -e; $(call compile,$(MAIN)/credential_partition.c,$(ENCRYPTED))
	@set -e; $(call compile,$(MAIN)/credential_partition.c,$(DERIVED),5.5 6.x)
	@set -e; $(foreach c,$(WIFI_CHOICES),$(call compile,$(WIFI),$(c));)
	@set -e; $(foreach c,$(ETHERNET_CHOICES),$(call compile,$(ETHERNET),$(subst $(comma), ,$(c)));)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
		$(filter -I%,$(FLAGS)) -Iidf/5.5 -I. $(BOTH) $(WIFI) $(ETHERNET) $(wildcard $(MAIN)/credential_*.c)
	@echo "glue: compiles against our declarations of ESP-IDF $(VERSIONS)"

# One component of the board side needs nothing but PSA, which Debian's Mbed TLS has too:
# it meets the same vectors as the desk's own cryptography.
.PHONY: psa
psa: $(BUILD)/vectors_psa
	$(BUILD)/vectors_psa $(RELEASE)

$(BUILD)/vectors_psa: $(SOURCES) $(HEADERS) $(CHIP)/psa.c $(CHIP)/include/tcpboot_chip.h psa.c vector.c vectors_test.c
	@mkdir -p $(BUILD)
	gcc $(WARN) $(DESK) -O1 $(SANITIZE) $(INCLUDE) -I$(CHIP)/include $(SOURCES) $(CHIP)/psa.c psa.c vector.c vectors_test.c -lmbedcrypto -o $@

# An update of the loader, and power failing everywhere in it.
.PHONY: update
update: $(BUILD)/update_gcc
	$(BUILD)/update_gcc

$(BUILD)/update_gcc: OPTIONS = -O2
$(BUILD)/update_clang: OPTIONS = -O1 $(SANITIZE)
$(BUILD)/update_%: $(SOURCES) $(HEADERS) $(WORLD) update_test.c
	@mkdir -p $(BUILD)
	$* $(WARN) $(DESK) $(OPTIONS) $(INCLUDE) $(SOURCES) $(WORLD) update_test.c -lmbedcrypto -o $@

# A renewal of the credential, over an NVS of a few lines, and power failing everywhere in
# it. Built by gcc, that NVS is encrypted.
.PHONY: renew
renew: $(BUILD)/renew_gcc
	$(BUILD)/renew_gcc

$(BUILD)/renew_gcc: OPTIONS = -O2 $(ENCRYPTED)
$(BUILD)/renew_clang: OPTIONS = -O1 $(SANITIZE)
$(BUILD)/renew_%: $(SOURCES) $(HEADERS) $(WORLD) $(CHIP)/key.c $(CHIP)/psa.c $(CHIP)/include/tcpboot_chip.h $(PARTITION) $(MAIN)/credential_nvs.c nvsim.c renew_test.c
	@mkdir -p $(BUILD)
	$* $(WARN) $(DESK) $(OPTIONS) $(INCLUDE) -I$(MAIN) -I$(CHIP)/include -idirafter idf/common -idirafter idf/5.5 $(SOURCES) $(WORLD) $(CHIP)/key.c $(CHIP)/psa.c $(MAIN)/credential_partition.c nvsim.c renew_test.c -lmbedx509 -lmbedcrypto -o $@

# The partition of credentials, in its three forms.
.PHONY: partition
partition: $(BUILD)/partition_plain $(BUILD)/partition_encrypted $(BUILD)/partition_derived
	@set -e; for form in $^; do $$form $(PKI)/nvs/testdata/nvs; done

$(BUILD)/partition_encrypted: OPTIONS = $(ENCRYPTED)
$(BUILD)/partition_derived: OPTIONS = $(DERIVED)
$(BUILD)/partition_%: $(PARTITION) partition_test.c
	@mkdir -p $(BUILD)
	clang $(WARN) $(DESK) -O1 $(SANITIZE) $(OPTIONS) $(INCLUDE) -I$(MAIN) -idirafter idf/common -idirafter idf/5.5 $(MAIN)/credential_partition.c partition_test.c -o $@
