/* The insides of jobs, shared by their two files: the list (jobs.c), and what a job's own thread does (jobs_run.c). Floor 4. */
#ifndef SIGNALBOX_OPERATIONS_JOBS_INTERNAL_H
#define SIGNALBOX_OPERATIONS_JOBS_INTERNAL_H

#include "base/thread.h"
#include "operations/jobs.h"

struct job {
    struct jobs *jobs;
    struct order order;
    struct arena arena; /* the order's texts */
    struct buffer command;
    struct endpoint archive; /* of a restore */
    bool resumes, dropped, listed;
    pthread_t thread;
    int event_fd; /* of its operation, and of whoever wants its thread to look */

    /* the thread's alone */
    struct operation_job job;
    struct buffer plan;
    struct arena found; /* what was read of the journal */
    char who[64], host[256];
    int lock_fd;

    pthread_mutex_t lock;
    struct job_status status;
    struct operation *operation;
    bool begin, paused, over; /* over: the thread comes back */
    atomic_bool cancelled;    /* looking is */
};

/* Belongs to the thread of the screen. */
struct jobs {
    struct config *config;
    const struct registry *registry;
    int fd;
    struct job *all[JOBS_MOST];
    size_t count; /* in the order in which they were made; those that were dropped among them */
};

void *jobs_run(void *job); /* a job's thread, from beginning to end */

#endif
