/* SPDX-License-Identifier: MIT */
/*
 * libmachnet: the application's end of a channel to the sidecar.
 *
 * A channel is a piece of shared memory with rings in it; a connection is a
 * number on a channel. Everything is flat (integers, pointers to bytes) so
 * that any language with an FFI can call it.
 *
 * Threads: a channel belongs to one thread at a time. Different channels are
 * independent of one another. Taking a channel's doorbell binds it to the
 * thread for good, and it ends with that thread: see machnet_channel_doorbell.
 *
 * Results: calls on the data path return a count or an offset, or a negative
 * enum machnet_status. The others return MACHNET_OK or a negative status and,
 * where they take a struct machnet_error, say there what was attempted. What an
 * event answers is asked of the engine over a ring: MACHNET_AGAIN when that is
 * full, machnet_wait tells when there is room.
 *
 * Handles (channels, jobs) carry a generation: a stale one gives
 * MACHNET_CLOSED, never a crash.
 */
#ifndef MACHNET_H
#define MACHNET_H

#include <stdint.h>

#include "machnet/status.h"

#define MACHNET_API __attribute__((visibility("default")))

/* Layouts and calls below; the sidecar refuses another number. */
#define MACHNET_ABI_VERSION 4u

#define MACHNET_MESSAGE_BYTES_MAX (8u << 20)
#define MACHNET_REASON_BYTES_MAX 255u
#define MACHNET_ARENA_BYTES_DEFAULT (64u << 20)
#define MACHNET_ARENA_BYTES_MIN (32u << 20)
#define MACHNET_ARENA_BYTES_MAX (512u << 20)
#define MACHNET_SOCKET_PATH_BYTES 108u

/* What went wrong, in words. message is NUL terminated UTF-8. */
struct machnet_error {
	int32_t status; /* enum machnet_status */
	char message[508];
};

struct machnet_attach_options {
	uint32_t arena_bytes; /* each way; 0: the default; power of two */
	int32_t engine;	      /* engine to live on, or -1: the least loaded */
	uint32_t timeout_ms;  /* for the sidecar's answer; 0: 1000 */
	uint32_t reserved;
};

struct machnet_channel_info {
	void *base;	     /* of the whole mapping; offsets count from here */
	uint64_t bytes;	     /* of the whole mapping */
	int32_t doorbell_fd; /* see machnet_channel_doorbell */
	uint32_t address;    /* IPv4 of the sidecar, host byte order */
	uint32_t engine;     /* the engine that serves the channel */
	uint32_t arena_bytes; /* each way */
};

/*
 * What a message is for. Plain ones reach the peer's application in order,
 * unless the connection is unordered. The others carry a request, 32 bits that
 * the sender chose, and overtake what is in their way: small ones do not wait
 * for large ones, nor any of them for plain ones.
 */
enum machnet_message_kind {
	MACHNET_MESSAGE_PLAIN = 0,
	MACHNET_MESSAGE_REQUEST = 1,
	MACHNET_MESSAGE_REPLY = 2,
	MACHNET_MESSAGE_FAILURE = 3, /* the reply is an error */
	MACHNET_MESSAGE_CANCEL = 4,  /* no reply is wanted any more */
};

/* What machnet_poll reports. The fields that a kind leaves out are 0. */
enum machnet_event_kind {
	/* Answer to machnet_listen: token, status, listener, port. */
	MACHNET_EVENT_LISTENING = 1,
	/* Answer to machnet_connect: token, status; if OK connection,
	 * address, port of the peer. */
	MACHNET_EVENT_CONNECTED = 2,
	/* A peer connected: listener, connection, address, port. */
	MACHNET_EVENT_ACCEPTED = 3,
	/* A message: connection, offset, length. The bytes are lent until
	 * machnet_release(offset); a message of length 0 lends nothing. */
	MACHNET_EVENT_MESSAGE = 4,
	/* The connection is over, its number is free: connection, status
	 * (OK: closed by either side, all was delivered), and the reason
	 * that the peer gave at offset, length (lent like a message). */
	MACHNET_EVENT_CLOSED = 5,
	/* Answer to machnet_unlisten: listener. No ACCEPTED follows. */
	MACHNET_EVENT_UNLISTENED = 6,
	/* Messages of the other kinds: as MESSAGE, and token: the request. */
	MACHNET_EVENT_REQUEST = 7,
	MACHNET_EVENT_REPLY = 8,
	MACHNET_EVENT_FAILURE = 9,
	MACHNET_EVENT_CANCEL = 10,
	/* How the packets of a connection go: read it as struct machnet_path.
	 * Comes before CONNECTED or ACCEPTED, and again with the first packet
	 * that shows another path. */
	MACHNET_EVENT_PATH = 11,
	/* A peer has been waiting for a second for memory that the application
	 * holds: connection, or 0 if it is those of all connections together
	 * that leave no room; token: how many messages of that one, or of all,
	 * were reported and not released. Comes once a second as long as it
	 * does. */
	MACHNET_EVENT_STARVED = 12,
};

/* One event; also the entry of the completion ring. 32 bytes. */
struct machnet_event {
	uint16_t kind;
	uint16_t port;
	uint32_t connection;
	uint32_t offset; /* from the base of the mapping */
	uint32_t length; /* bytes */
	uint32_t token;
	int32_t status;
	uint32_t address; /* IPv4, host byte order */
	uint32_t listener;
};
_Static_assert(sizeof(struct machnet_event) == 32, "shared with scripts");

/*
 * How the UDP ports of a connection were chosen, so that its packets come in on
 * the queues of the two engines that serve it: of two directions the later in
 * this list.
 */
enum machnet_path_method {
	MACHNET_PATH_SINGLE = 0,     /* there is one queue */
	MACHNET_PATH_COMPUTED = 1,   /* from keys that drivers told */
	MACHNET_PATH_PREDICTED = 2,  /* by what was learned of the hash */
	MACHNET_PATH_REMEMBERED = 3, /* they were seen to do before */
	MACHNET_PATH_SPRAYED = 4,    /* one of those that were tried hit */
	/* Not found yet: engines hand packets over, and the search goes on. */
	MACHNET_PATH_HANDOVER = 5,
};

/*
 * A PATH event. What it says of how the connection was opened does not change;
 * on the side that accepted it is what the other one said. Out is from here to
 * the peer, in from the peer to here; from is the sender's UDP port.
 */
struct machnet_path {
	uint16_t kind;	      /* MACHNET_EVENT_PATH */
	uint8_t local_engine; /* that serves the connection here */
	uint8_t remote_engine;
	uint32_t connection;
	uint16_t out_from;
	uint16_t out_to;
	uint32_t length; /* 0: lends nothing */
	uint16_t in_from;
	uint16_t in_to;
	uint8_t method;	 /* enum machnet_path_method, when it was opened */
	uint8_t rounds;	 /* trips of probes before that; 255: or more */
	uint16_t probes; /* packets that asked for queues, and their answers */
	uint32_t setup_us; /* from the connect until it was open */
	uint32_t moves;	   /* to other ports that reach the engines, since */
};
_Static_assert(sizeof(struct machnet_path) == sizeof(struct machnet_event),
	"one of the events");

/** The number that machnet.h had when the library was built. */
MACHNET_API uint32_t machnet_abi_version(void);

/** Name of a status ("CLOSED"), or "UNKNOWN". Static storage. */
MACHNET_API const char *machnet_status_name(int32_t status);

/** Sentence for a status, lower case, no full stop. Static storage. */
MACHNET_API const char *machnet_status_message(int32_t status);

/**
 * Path of the control socket: MACHNET_SOCKET from the environment, else
 * /run/machnet/machnet.sock for root, else
 * $XDG_RUNTIME_DIR/machnet.sock. Written with its NUL.
 * @return its length, or MACHNET_INVALID_ARGUMENT if it does not fit
 */
MACHNET_API int32_t machnet_socket_path_default(char *path, uint32_t capacity);

/**
 * Whether MACHNET_DEBUG in the environment asks for the checks that cost too
 * much elsewhere. For bindings, whose language may not read the environment.
 * @return 1 or 0
 */
MACHNET_API int32_t machnet_debug_enabled(void);

/**
 * Attach to the sidecar on this machine. Blocks until it answers.
 * @param path control socket, or NULL for the default
 * @param options NULL for the defaults
 * @param channel the caller's, until machnet_channel_close or
 *        machnet_channel_lost; its memory until machnet_mapping_release
 * @return MACHNET_SIDECAR_NOT_RUNNING if nobody listens at path,
 *         MACHNET_TIMED_OUT, or what the sidecar refused
 */
MACHNET_API int32_t machnet_attach(const char *path,
	const struct machnet_attach_options *options, uint32_t *channel,
	struct machnet_error *error);

/**
 * The same on a thread of its own. *fd becomes readable when it is done; it
 * belongs to the caller.
 * @return a job (positive) for machnet_attach_end, or a negative status
 */
MACHNET_API int32_t machnet_attach_begin(const char *path,
	const struct machnet_attach_options *options, int32_t *fd,
	struct machnet_error *error);

/**
 * Collect the result of machnet_attach_begin and free the job. Called too
 * early it returns MACHNET_AGAIN and the job lives on.
 */
MACHNET_API int32_t machnet_attach_end(
	int32_t job, uint32_t *channel, struct machnet_error *error);

/**
 * Resolve a host name to IPv4 with the system's resolver, on a thread of its
 * own. As machnet_attach_begin.
 */
MACHNET_API int32_t machnet_resolve_begin(
	const char *name, int32_t *fd, struct machnet_error *error);

/**
 * Collect the result of machnet_resolve_begin, as machnet_attach_end.
 * @param address host byte order
 * @return MACHNET_OK, or MACHNET_NAME_NOT_FOUND if there is no IPv4 address
 */
MACHNET_API int32_t machnet_resolve_end(
	int32_t job, uint32_t *address, struct machnet_error *error);

/** Forget a job of either kind; what it makes is undone when it is done. */
MACHNET_API int32_t machnet_job_abandon(int32_t job);

/**
 * Counters of a sidecar as text, a "name value" line each: frames_missed, which
 * its device lost because nobody took them in time, those of all its engines
 * together, and of each ("engine0_frames_sent"), some 4 KiB an engine.
 * Blocks for at most timeout_ms; needs no channel.
 * @return bytes written (without the NUL) or a negative status
 */
MACHNET_API int32_t machnet_stats(const char *path, char *text,
	uint32_t capacity, uint32_t timeout_ms, struct machnet_error *error);

/**
 * Say a line to a program that listens on a Unix socket, machnet-fabric, and
 * read what it answers until it hangs up. For bindings, whose language may not
 * open sockets. Blocks for at most timeout_ms.
 * @param line without its newline
 * @return bytes written to text (without the NUL) or a negative status
 */
MACHNET_API int32_t machnet_ask(const char *path, const char *line, char *text,
	uint32_t capacity, uint32_t timeout_ms, struct machnet_error *error);

/**
 * What a channel is. The memory at base stays the library's, and mapped until
 * machnet_mapping_release; so does doorbell_fd, which is -1 once
 * machnet_channel_doorbell has taken it.
 * @return MACHNET_OK, also for a channel that is lost, or MACHNET_CLOSED
 */
MACHNET_API int32_t machnet_channel_info(
	uint32_t channel, struct machnet_channel_info *info);

/**
 * Take a descriptor that wakes the application: a stream socket that becomes
 * readable (bytes mean nothing) after machnet_wait, and that ends when the
 * channel ends, by either side. The caller owns it; closing it ends nothing.
 *
 * This is for event loops of a runtime, whose threads may be ended from
 * outside: from now on the channel is bound to the calling thread, and when
 * that ends, the channel is closed as by machnet_channel_close. A program that
 * hands its channels from thread to thread leaves the doorbell here and waits
 * on info.doorbell_fd: machnet_wait takes its bytes out then, and the channel
 * stays until it is closed.
 * @return it, MACHNET_INVALID_ARGUMENT if it was taken before, or
 *         MACHNET_SYSTEM_ERROR if the process has too many descriptors
 */
MACHNET_API int32_t machnet_channel_doorbell(uint32_t channel);

/**
 * End a channel: its connections are reset, its blocks freed. The memory that
 * views may reach stays mapped, as private zeros, until
 * machnet_mapping_release(base).
 */
MACHNET_API int32_t machnet_channel_close(uint32_t channel);

/**
 * End a channel of which the sidecar's end is gone: the doorbell ended, or a
 * call said that the channel is lost. As machnet_channel_close, with the
 * reason. Events not taken by machnet_poll before are gone.
 * @return the reason: MACHNET_SIDECAR_GONE, MACHNET_SIDECAR_STOPPED or
 *         MACHNET_CHANNEL_CORRUPT
 */
MACHNET_API int32_t machnet_channel_lost(uint32_t channel);

/**
 * Give up the mapping at base. Its signature is that of Bun's deallocator; the
 * second argument is not used. No-op for an unknown base; while the channel is
 * open the release happens when it closes.
 */
MACHNET_API void machnet_mapping_release(void *base, void *context);

/**
 * Take up to capacity events.
 * @param spin_us if there are none, look again for so long, yielding the
 *        processor in between; it ends early, too, when room comes that a
 *        call was refused for with MACHNET_AGAIN. 0 returns at once. Where
 *        others want the processor of the calling thread, and the engine is
 *        alone on another one that the thread may run on, it is moved there,
 *        at most 500 times a second; its affinity stays what it was
 * @return their number, 0 if none, or a negative status: the channel is
 *         lost, and machnet_channel_lost is to be called
 */
MACHNET_API int32_t machnet_poll(uint32_t channel, struct machnet_event *events,
	uint32_t capacity, uint32_t spin_us);

/**
 * Ask to be woken by the doorbell. One wake-up per call.
 * @param room wake also when there is room again for what was refused with
 *        MACHNET_AGAIN
 * @return 1 if there is something to poll, or room that was wanted (do not
 *         wait), 0 if the doorbell will ring, or a negative status
 */
MACHNET_API int32_t machnet_wait(uint32_t channel, uint32_t room);

/**
 * Let the calls of this channel run the engine at its other end, which lives in
 * this process: machnet_poll runs a turn of it before each look, machnet_wait
 * leaves it to others.
 * @param driver what machnet_engine_driver returned, or NULL: no more
 */
MACHNET_API int32_t machnet_channel_drive(uint32_t channel, void *driver);

enum machnet_connect_flag {
	/* Messages, in both directions, may overtake one another: a small one
	 * does not wait for a large one that was sent before it. */
	MACHNET_CONNECT_UNORDERED = 1,
};

/**
 * Open a connection. The answer is a CONNECTED event with the token; its status
 * is INVALID_ARGUMENT if no host can have the address.
 * @param address IPv4, host byte order
 * @param port 1 to 65535
 * @param timeout_ms 0: 1000
 * @param flags enum machnet_connect_flag
 */
MACHNET_API int32_t machnet_connect(uint32_t channel, uint32_t token,
	uint32_t address, uint32_t port, uint32_t timeout_ms, uint32_t flags);

enum machnet_listen_flag {
	/* Share the port with all that say the same, on this channel or on
	 * others, whatever their engine: connections are spread over them. */
	MACHNET_LISTEN_REUSE = 1,
};

/**
 * Listen. The answer is a LISTENING event with the token.
 * @param address IPv4 of the sidecar, or 0 for whichever it has
 * @param port 0 lets the sidecar choose one
 * @param backlog connections not yet taken with machnet_accept; 0: 128
 * @param flags enum machnet_listen_flag
 */
MACHNET_API int32_t machnet_listen(uint32_t channel, uint32_t token,
	uint32_t address, uint32_t port, uint32_t backlog, uint32_t flags);

/**
 * Listen no more; connections that are there live on. The answer is an
 * UNLISTENED event, for a listener that is gone, too.
 */
MACHNET_API int32_t machnet_unlisten(uint32_t channel, uint32_t listener);

/** Count an ACCEPTED connection as taken: the backlog has room again. */
MACHNET_API int32_t machnet_accept(uint32_t channel, uint32_t connection);

/**
 * Send a copy of the bytes as one message, which are the caller's again when it
 * returns. Cost: one copy, no system call while the engine is awake.
 *
 * A connection whose messages the peer does not take gets MACHNET_AGAIN before
 * the arena is full: while it holds more of it than is free. So others on the
 * channel find room.
 * @return MACHNET_OK, MACHNET_AGAIN (no room), MACHNET_MESSAGE_TOO_LARGE
 */
MACHNET_API int32_t machnet_send(uint32_t channel, uint32_t connection,
	const void *bytes, uint32_t length);

/**
 * Borrow room for a message to be written in place. It counts as held by the
 * connection, as in machnet_send.
 * @return its offset from the base of the mapping, or a negative status
 */
MACHNET_API int32_t machnet_allocate(
	uint32_t channel, uint32_t connection, uint32_t length);

/**
 * Send what was written at an offset from machnet_allocate. The bytes are the
 * sidecar's from then on. On MACHNET_AGAIN they are still the caller's.
 */
MACHNET_API int32_t machnet_send_allocated(uint32_t channel,
	uint32_t connection, uint32_t offset, uint32_t length);

/**
 * Send a copy of the bytes as a message that is part of a request. Cost and
 * results as machnet_send; it may be empty.
 * @param kind enum machnet_message_kind, not PLAIN
 * @param request the sender's choice; the peer gets it with the message
 */
MACHNET_API int32_t machnet_send_tagged(uint32_t channel, uint32_t connection,
	const void *bytes, uint32_t length, uint32_t kind, uint32_t request);

/** The same for what was written in place, as machnet_send_allocated. */
MACHNET_API int32_t machnet_send_allocated_tagged(uint32_t channel,
	uint32_t connection, uint32_t offset, uint32_t length, uint32_t kind,
	uint32_t request);

/**
 * Give back a message that was received, or room that was allocated and not
 * sent.
 * @param offset from the base of the mapping
 * @return MACHNET_INVALID_ARGUMENT if nothing there is the caller's
 */
MACHNET_API int32_t machnet_release(uint32_t channel, uint32_t offset);

/**
 * Give back several. Cheaper than one by one.
 * @return MACHNET_OK, or the status of the first that cannot be given back;
 *         those before it were
 */
MACHNET_API int32_t machnet_release_many(
	uint32_t channel, const uint32_t *offsets, uint32_t count);

/**
 * Close a connection: take no more messages, deliver what was sent, wait for
 * the peer's acknowledgement. The answer is a CLOSED event.
 * @param timeout_ms 0: 5000; then CLOSED says MACHNET_CLOSE_TIMED_OUT
 */
MACHNET_API int32_t machnet_close(
	uint32_t channel, uint32_t connection, uint32_t timeout_ms);

/**
 * Drop a connection and everything on it. The peer gets the reason (UTF-8, at
 * most MACHNET_REASON_BYTES_MAX bytes). The answer is a CLOSED event.
 */
MACHNET_API int32_t machnet_reset(uint32_t channel, uint32_t connection,
	const void *reason, uint32_t length);

#endif
