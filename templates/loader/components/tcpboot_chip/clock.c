/*
 * Time since the start, and random bits. The hardware's are random while a radio
 * runs or the bootloader's source is on; they only spread retries.
 *
 * esp_timer_get_time, esp_random: 5.1 to 6.x.
 */
#include "esp_random.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "tcpboot_chip.h"

static uint32_t now(void *context) {
	(void)context;
	return (uint32_t)(esp_timer_get_time() / 1000);
}

/* pdMS_TO_TICKS would multiply in 32 bits, and wrap behind 71 minutes at 1000 Hz. */
static void sleep_for(void *context, uint32_t milliseconds) {
	(void)context;
	vTaskDelay((TickType_t)((uint64_t)milliseconds * configTICK_RATE_HZ / 1000));
}

static uint32_t random_bits(void *context) {
	(void)context;
	return esp_random();
}

struct tb_clock clock_functions(void) {
	return (struct tb_clock){NULL, now, sleep_for, random_bits};
}
