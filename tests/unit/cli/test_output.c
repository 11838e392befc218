/* The output sink against readers that are slow, late or gone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/output.h"
#include "tests/support/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LINE  (64 << 10)
#define LINES 400 /* far more than the sink and a pipe hold */

static atomic_int resumed;

static void on_room(void *context)
{
    (void)context;
    atomic_fetch_add(&resumed, 1);
}

static enum emit put_line(struct output_lane *lane)
{
    struct buffer *b = output_line(lane);
    for (int i = 0; i < LINE - 1; i += 9)
        buffer_text(b, "nine byte");
    buffer_byte(b, '\n');
    return output_line_end(lane);
}

struct reader {
    int fd;
    atomic_bool go;
    size_t lines, bytes;
    bool broken; /* a line was begun within another one */
};

static void *read_lines(void *context)
{
    struct reader *r = context;
    static char text[1 << 16];
    while (!atomic_load(&r->go))
        usleep(1000);
    char before = '\n';
    for (ssize_t n; (n = read(r->fd, text, sizeof text)) > 0; r->bytes += (size_t)n)
        for (ssize_t i = 0; i < n; before = text[i++]) {
            r->lines += text[i] == '\n';
            r->broken |= (text[i] == 'n' && strchr("0u\\", before)) ||
                         (text[i] == '"' && before != '\n' && before != '0');
        }
    return NULL;
}

/* The source ends while its lane is told to pause: nobody is to be resumed any more, and nothing is lost. */
static void a_source_that_ends_while_it_is_paused_loses_nothing(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    struct err_info err = {0};
    assert_int_equal(pipe(ends), 0);
    struct reader r = {.fd = ends[0]};
    assert_int_equal(pthread_create(&thread, NULL, read_lines, &r), 0);
    struct output *o = output_new(ends[1], &err);
    struct output_lane *lane = output_lane(o, on_room, NULL);
    enum emit last = EMIT_OK;
    for (int i = 0; i < LINES; i++)
        last = put_line(lane);
    assert_int_equal(last, EMIT_PAUSE);
    assert_int_equal(atomic_load(&resumed), 0);
    atomic_store(&r.go, true);
    assert_int_equal(output_end(&o, 120 * NS_PER_S, &err), ERR_OK);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_int_equal(r.lines, LINES);
    assert_int_equal(atomic_load(&resumed), 0);
}

/* Without memory for another block the one there is grows: a pause would have no end. At the end no other is wanted. */
static void a_block_that_cannot_be_had_stops_nothing(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    struct err_info err = {0};
    assert_int_equal(pipe(ends), 0);
    struct reader r = {.fd = ends[0], .go = true};
    assert_int_equal(pthread_create(&thread, NULL, read_lines, &r), 0);
    struct output *o = output_new(ends[1], &err);
    struct output_lane *lane = output_lane(o, on_room, NULL);
    size_t lines = 0;
    alloc_fail(1);
    for (bool failed = false; !failed; lines++) { /* up to the first that wants another block */
        assert_int_equal(put_line(lane), EMIT_OK);
        failed = alloc_count() > 0;
    }
    bool none_was_had = alloc_failed();
    assert_int_equal(put_line(lane), EMIT_OK); /* and now there is one */
    assert_int_equal(put_line(lane), EMIT_OK);
    alloc_fail(1);
    assert_int_equal(output_end(&o, 120 * NS_PER_S, &err), ERR_OK);
    alloc_failed();
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_true(none_was_had);
    assert_int_equal(r.lines, lines + 2);
}

/* Into a pipe, with one lane. */
static struct output *piped(int ends[2], struct output_lane **lane)
{
    struct err_info err = {0};
    assert_int_equal(pipe(ends), 0);
    struct output *o = output_new(ends[1], &err);
    *lane = output_lane(o, on_room, NULL);
    return o;
}

#define LONG ((size_t)8 << 20)

/* Of six times the size, whose text is never there as a whole. */
static enum emit put_long(struct output_lane *lane, size_t most)
{
    static const uint8_t zeros[LONG];
    struct json_writer w;
    json_write(&w, output_line(lane));
    json_string(&w, bytes_of(zeros, sizeof zeros));
    assert_true(output_line(lane)->cap <= most);
    buffer_byte(output_line(lane), '\n');
    return output_line_end(lane);
}

static void *write_long(void *lane)
{
    for (int i = 0; i < 4; i++)
        put_long(lane, 16 * LONG);
    return NULL;
}

static void long_lines_go_in_parts_and_nothing_comes_between(void **state)
{
    (void)state;
    int ends[2];
    pthread_t reading, writing;
    struct err_info err = {0};
    struct output_lane *lane;
    struct output *o = piped(ends, &lane);
    struct output_lane *other = output_lane(o, NULL, NULL), *third = output_lane(o, NULL, NULL);
    struct reader r = {.fd = ends[0], .go = true};
    assert_int_equal(pthread_create(&reading, NULL, read_lines, &r), 0);
    put_long(lane, 1 << 20);
    assert_int_equal(pthread_create(&writing, NULL, write_long, other), 0);
    for (int i = 0; i < 4; i++) {
        put_long(lane, 16 * LONG); /* it has to wait for the other's */
        put_line(third);
    }
    pthread_join(writing, NULL);
    assert_int_equal(output_end(&o, 120 * NS_PER_S, &err), ERR_OK);
    close(ends[1]);
    pthread_join(reading, NULL);
    close(ends[0]);
    assert_int_equal(r.lines, 9 + 4);
    assert_true(r.bytes > 9 * 6 * LONG);
    assert_false(r.broken);
}

/* The rest of the line is held then. */
static void a_reader_that_rests_within_a_long_line_loses_nothing(void **state)
{
    (void)state;
    int ends[2];
    pthread_t reading;
    struct err_info err = {0};
    struct output_lane *lane;
    struct output *o = piped(ends, &lane);
    struct reader r = {.fd = ends[0]};
    assert_int_equal(pthread_create(&reading, NULL, read_lines, &r), 0);
    int64_t began = clock_mono_ns();
    assert_int_equal(put_long(lane, 16 * LONG), EMIT_PAUSE);
    assert_true(clock_mono_ns() - began < 20 * NS_PER_S);
    atomic_store(&r.go, true);
    assert_int_equal(output_end(&o, 120 * NS_PER_S, &err), ERR_OK);
    close(ends[1]);
    pthread_join(reading, NULL);
    close(ends[0]);
    assert_int_equal(r.lines, 1);
    assert_int_equal(r.bytes, 6 * LONG + 3);
}

static void a_reader_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    int ends[2];
    struct err_info err = {0};
    struct output_lane *lane;
    struct output *o = piped(ends, &lane);
    for (int i = 0; i < 4; i++)
        put_line(lane);
    assert_int_equal(output_end(&o, NS_PER_S / 20, &err), ERR_IO);
    close(ends[0]); /* lets the thread that was left behind end */
}

static void a_reader_that_goes_is_no_fault(void **state)
{
    (void)state;
    int ends[2];
    struct err_info err = {0};
    struct output_lane *lane;
    struct output *o = piped(ends, &lane);
    close(ends[0]);
    int64_t deadline = clock_mono_ns() + 10 * NS_PER_S;
    while (put_line(lane) != EMIT_STOP)
        assert_true(clock_mono_ns() < deadline);
    assert_int_equal(output_end(&o, NS_PER_S, &err), ERR_OK);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_ends_while_it_is_paused_loses_nothing),
        cmocka_unit_test(a_block_that_cannot_be_had_stops_nothing),
        cmocka_unit_test(long_lines_go_in_parts_and_nothing_comes_between),
        cmocka_unit_test(a_reader_that_rests_within_a_long_line_loses_nothing),
        cmocka_unit_test(a_reader_that_takes_nothing_is_given_up),
        cmocka_unit_test(a_reader_that_goes_is_no_fault),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
