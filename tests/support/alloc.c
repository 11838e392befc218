#include "tests/support/alloc.h"

#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

static atomic_long count, victim;
static atomic_bool failed;

void alloc_fail(long n)
{
    count = 0;
    failed = false;
    victim = n;
}

bool alloc_failed(void)
{
    victim = 0;
    return failed;
}

long alloc_count(void)
{
    return count;
}

static bool denied(void)
{
    if (atomic_fetch_add(&count, 1) + 1 != victim)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return denied() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    return denied() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return denied() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t number, size_t size)
{
    return denied() ? NULL : __real_reallocarray(old, number, size);
}

char *__wrap_strdup(const char *text)
{
    return denied() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return denied() ? NULL : __real_strndup(text, size);
}
