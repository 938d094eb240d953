/* SPDX-License-Identifier: MIT */
#include "machnet/machnet.h"

const char *
machnet_status_name(int32_t status)
{
	switch (status) {
#define STATUS_NAME(name, value, message)                                      \
	case value:                                                            \
		return #name;
		MACHNET_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
	}
	return "UNKNOWN";
}

const char *
machnet_status_message(int32_t status)
{
	switch (status) {
#define STATUS_MESSAGE(name, value, message)                                   \
	case value:                                                            \
		return message;
		MACHNET_STATUS_LIST(STATUS_MESSAGE)
#undef STATUS_MESSAGE
	}
	return "unknown status";
}
