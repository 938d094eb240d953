/* SPDX-License-Identifier: MIT */
/*
 * Every status that the C ABI returns and every error code that a script
 * sees, once. The enum, the names and the messages are made from this list;
 * a test holds the TypeScript list against it.
 */
#ifndef MACHNET_STATUS_H
#define MACHNET_STATUS_H

#include <stdint.h>

/* X(name, value, message) */
#define MACHNET_STATUS_LIST(X)                                                 \
	X(OK, 0, "success")                                                    \
	X(AGAIN, -1, "no room now, try again later")                           \
	X(INVALID_ARGUMENT, -2, "an argument is invalid")                      \
	X(CLOSED, -3, "the object was closed")                                 \
	X(SYSTEM_ERROR, -4, "a system call failed")                            \
	X(OUT_OF_MEMORY, -5, "out of memory")                                  \
	X(TIMED_OUT, -6, "the time for it ran out")                            \
	X(LIBRARY_NOT_FOUND, -7, "the native library was not found")           \
	X(FFI_NOT_ALLOWED, -8, "the runtime does not allow FFI")               \
	X(ABI_MISMATCH, -9, "library and sidecar speak different ABIs")        \
	X(SIDECAR_NOT_RUNNING, -10, "no sidecar listens on the socket")        \
	X(SIDECAR_GONE, -11, "the sidecar ended without a word")               \
	X(SIDECAR_STOPPED, -12, "the sidecar was stopped")                     \
	X(CHANNEL_CORRUPT, -13, "the channel's shared memory is invalid")      \
	X(TOO_MANY_CHANNELS, -14, "the sidecar has no channel left")           \
	X(TOO_MANY_CONNECTIONS, -15, "the engine has no connection left")      \
	X(TOO_MANY_LISTENERS, -16, "the sidecar has no listener left")         \
	X(MESSAGE_TOO_LARGE, -17, "a message has at most 8 MiB")               \
	X(ADDRESS_IN_USE, -18, "the address or port is taken")                 \
	X(ADDRESS_NOT_AVAILABLE, -19, "the address is not the sidecar's")      \
	X(NAME_NOT_FOUND, -20, "no IPv4 address was found for the host name")  \
	X(HOST_UNREACHABLE, -21,                                               \
		"no host answers for the address; is the sidecar there "       \
		"running?")                                                    \
	X(CONNECTION_REFUSED, -22, "nobody listens on the port")               \
	X(CONNECTION_TIMED_OUT, -23,                                           \
		"the host did not answer in time; if it is up, firewalls "     \
		"must let UDP ports 30720 to 31743 in, at both ends")          \
	X(CONNECTION_RESET, -24, "the peer reset the connection")              \
	X(CONNECTION_CLOSED, -25, "the connection is closed")                  \
	X(CONNECTION_LOST, -26, "the peer's host stopped answering")           \
	X(CLOSE_TIMED_OUT, -27, "the peer did not acknowledge in time")        \
	X(DEVICE_NOT_FOUND, -28, "no such device")                             \
	X(DEVICE_FAILED, -29, "the device could not be started")               \
	X(ENGINE_ALREADY_RUNNING, -30, "this process runs an engine already")  \
	X(ENGINE_NOT_RUNNING, -31, "this process runs no engine")              \
	X(TOO_MANY_REQUESTS, -32, "16384 requests of it wait for replies")

enum machnet_status {
#define MACHNET_STATUS_ENUM(name, value, message) MACHNET_##name = (value),
	MACHNET_STATUS_LIST(MACHNET_STATUS_ENUM)
#undef MACHNET_STATUS_ENUM
};

#endif
