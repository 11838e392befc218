#include "tests/support/resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>

typedef int lookup_function(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int hanging, inside;

void resolver_hang(void)
{
    pthread_mutex_lock(&lock);
    hanging = 1;
    pthread_mutex_unlock(&lock);
}

void resolver_release(void)
{
    pthread_mutex_lock(&lock);
    hanging = 0;
    pthread_cond_broadcast(&changed);
    while (inside)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int hang(void)
{
    pthread_mutex_lock(&lock);
    inside++;
    while (hanging)
        pthread_cond_wait(&changed, &lock);
    inside--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return EAI_AGAIN;
}

static int look_up(const char *host, const char *service, const struct addrinfo *hints,
                   struct addrinfo **into)
{
    lookup_function *real = (lookup_function *)dlsym(RTLD_NEXT, "getaddrinfo");
    return real(host, service, hints, into);
}

/* Instead of libc's, for libraries too: a program's own symbols come first. */
int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict into)
{
    int numeric = hints && (hints->ai_flags & AI_NUMERICHOST);
    if (host && strcmp(host, "hang.test") == 0 && !numeric)
        return hang();
    int two = host && strcmp(host, "two.test") == 0, deaf = host && strcmp(host, "deaf.test") == 0;
    if (numeric || (!two && !deaf))
        return look_up(host, service, hints, into);
    int failed = look_up(two ? "127.0.0.2" : "127.0.0.1", service, hints, into);
    if (!failed)
        failed = look_up(two ? "127.0.0.1" : "127.0.0.2", service, hints, &(*into)->ai_next);
    return failed;
}
