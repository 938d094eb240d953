/* SPDX-License-Identifier: MIT */
/* The kernel's end of AF_XDP: programs that libxdp loads from files. */
#ifndef PORT_XDP_OBJECTS_H
#define PORT_XDP_OBJECTS_H

/**
 * Let libxdp find its programs beside this program or library, if they are
 * there, as in our package; otherwise it takes those of the machine. The
 * environment variable LIBXDP_OBJECT_PATH comes before both.
 */
void xdp_objects_find(void);

#endif
