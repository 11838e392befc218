/* Passwords: fetched when they are first wanted, kept until a server refuses them. Floor 4. Any thread.
 *
 * Everybody gets a copy of their own, so that a password that is fetched anew takes nobody's away. While one is fetched, which
 * may take a command ten seconds, only those wait who want the same one. */
#ifndef SIGNALBOX_ENGINE_SECRET_H
#define SIGNALBOX_ENGINE_SECRET_H

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The password of one endpoint or probe. */
struct config_password {
    const char *env, *file, *command; /* where it is found; at most one is set */

    /* what is known of it; secret.c's, under its lock */
    char *value;            /* NULL: not fetched yet, or not to be had */
    struct err_info failed; /* why not */
    uint64_t number;        /* counts fetches */
    bool fetching;
    bool refused;       /* value was, by a server: the next one who wants it fetches it anew */
    unsigned refusals;  /* in a row, of this same value */
    int64_t fetched_ns; /* monotonic */
};

/* A copy, as a session or a run of a probe holds it. All zero: none. */
struct secret {
    struct config_password *of;
    char *text; /* NULL: there is none to be fetched */
    uint64_t number;
};

/* What is kept, or was just fetched; it may take its time, and ends early (ERR_CANCELLED) once *leaving is set. What `into`
 * held before is wiped. of NULL or without a place: OK, and none. A failure is the sources' ERR_CONFIG; where says whose. */
enum err secret_get(struct config_password *of, const char *whose, const atomic_bool *leaving,
                    struct secret *into, struct err_info *err) SB_MUST_USE;
/* A server refused it (or a copy of the same): the next secret_get looks where it is found again, so that a password that was
 * mended is seen. A command that prints the same again and again is asked with growing pauses; meanwhile what it printed
 * stands. */
void secret_refused(const struct secret *s);
void secret_clear(struct secret *s); /* wipes the copy */
/* Wipes what is kept; nobody uses it any more. */
void secret_forget(struct config_password *p);

#endif
