#pragma once
#include <stddef.h>
#include <sys/time.h>
typedef uint32_t socklen_t;
#define SOL_SOCKET 0xfff
#define SO_SNDTIMEO 0x1005
#define SO_RCVTIMEO 0x1006
int setsockopt(int fd, int level, int option, const void *value, socklen_t size);
