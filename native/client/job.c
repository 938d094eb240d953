/* SPDX-License-Identifier: MIT */
#include "client/job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

struct job {
	struct job *next;
	const struct job_type *type;
	void *state;
	int32_t number;
	int fd; /* our end of the pair, closed when done */
	bool done;
	bool abandoned; /* in no list any more */
	/* Of its run, once it is done. */
	int32_t status;
	struct machnet_error error;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *jobs;
static int32_t number_last;

/** The place where a job is linked in, or NULL. Called with the lock. */
static struct job **
job_link(int32_t number)
{
	struct job **link = &jobs;

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return *link != NULL ? link : NULL;
}

/** Called with the lock. */
static int32_t
job_register(struct job *job)
{
	do {
		number_last = number_last == INT32_MAX ? 1 : number_last + 1;
	} while (job_link(number_last) != NULL);
	job->number = number_last;
	job->next = jobs;
	jobs = job;
	return job->number;
}

static void *
job_thread(void *context)
{
	struct job *job = context;
	bool abandoned;
	int fd = job->fd;

	job->status = job->type->run(job->state, &job->error);
	pthread_mutex_lock(&lock);
	job->done = true;
	abandoned = job->abandoned;
	pthread_mutex_unlock(&lock);
	/* Unless it was abandoned, it may be gone by now. */
	if (abandoned) {
		job->type->discard(job->state);
		free(job);
	}
	send(fd, "", 1, MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

/** A detached thread that leaves all signals to the threads of the runtime. */
static int
thread_start(struct job *job)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int errnum;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errnum = pthread_create(&thread, &attributes, job_thread, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return errnum;
}

int32_t
job_start(const struct job_type *type, void *state, int32_t *fd,
	struct machnet_error *error)
{
	struct job *job = calloc(1, sizeof(*job));
	int32_t number;
	int pair[2];
	int errnum;

	if (job == NULL) {
		type->discard(state);
		return error_set(error, MACHNET_OUT_OF_MEMORY,
			"Cannot start a job: out of memory");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		    pair) != 0) {
		errnum = errno;
		goto fail;
	}
	job->type = type;
	job->state = state;
	job->fd = pair[1];
	pthread_mutex_lock(&lock);
	number = job_register(job);
	errnum = thread_start(job);
	if (errnum != 0)
		*job_link(number) = job->next;
	pthread_mutex_unlock(&lock);
	if (errnum == 0) {
		*fd = pair[0];
		return number;
	}
	close(pair[0]);
	close(pair[1]);
fail:
	free(job);
	type->discard(state);
	return error_set_errno(
		error, MACHNET_SYSTEM_ERROR, errnum, "Cannot start a job");
}

int32_t
job_end(int32_t number, const struct job_type *type, void **state,
	struct machnet_error *error)
{
	int32_t status = MACHNET_OK;
	struct job **link, *job = NULL;

	*state = NULL;
	pthread_mutex_lock(&lock);
	link = job_link(number);
	if (link == NULL)
		status = MACHNET_CLOSED;
	else if ((*link)->type != type)
		status = MACHNET_INVALID_ARGUMENT;
	else if (!(*link)->done)
		status = MACHNET_AGAIN;
	if (status == MACHNET_OK) {
		job = *link;
		*link = job->next;
	}
	pthread_mutex_unlock(&lock);
	if (status != MACHNET_OK)
		return error_set(error, status, "Cannot end job %d: %s", number,
			machnet_status_message(status));
	*state = job->state;
	status = job->status;
	if (status != MACHNET_OK && error != NULL)
		*error = job->error;
	free(job);
	return status;
}

int32_t
machnet_job_abandon(int32_t number)
{
	struct job **link, *job = NULL;
	bool done = false;

	pthread_mutex_lock(&lock);
	link = job_link(number);
	if (link != NULL) {
		job = *link;
		*link = job->next;
		done = job->done;
		job->abandoned = true;
	}
	pthread_mutex_unlock(&lock);
	if (job == NULL)
		return MACHNET_CLOSED;
	/* If it is not done, its thread discards it. */
	if (done) {
		job->type->discard(job->state);
		free(job);
	}
	return MACHNET_OK;
}
