/* Any text on the `:` line: what is said while it is typed, Tab, and Enter, on a screen with a hub of fixed data. Tab only adds
 * to what was typed, and only what Enter then takes for the same command. */
#include "tests/unit/ui/stage.h"

#include "fuzz.h"
#include "ui/command.h"

static void require(int truth)
{
    if (!truth)
        abort();
}

static struct prompt_note noted(const char *line)
{
    struct prompt_note note = {.fault = false};
    command_note(line, &note);
    require(memchr(note.text, 0, sizeof note.text) != NULL);
    return note;
}

static void complete(struct stage *s, const char *typed)
{
    char line[PROMPT_MAX], again[PROMPT_MAX];
    struct prompt_note note = noted(typed);
    const struct command_row *row = command_of(typed);
    text_copy(line, sizeof line, typed);
    bool known = command_complete(s->screen, line, sizeof line, &note);
    require(memchr(line, 0, sizeof line) && memchr(note.text, 0, sizeof note.text));
    require(text_starts(line, typed) && (known || !strcmp(line, typed)));
    require(!row || !strrchr(typed, ' ') || command_of(line) == row);
    text_copy(again, sizeof again, line);
    if (known && command_complete(s->screen, again, sizeof again, &note))
        require(text_starts(again, line));
    noted(line);
}

static void type_it(struct stage *s, const char *text)
{
    screen_key(s->screen, ':');
    for (; *text; text++)
        if ((unsigned char)*text >= ' ')
            screen_key(s->screen, (unsigned char)*text);
    screen_key(s->screen, '\t');
    screen_key(s->screen, '\r');
    screen_draw(s->screen);
}

static void on_a_new_screen(struct stage *s, void (*run)(struct stage *s, const char *line), const char *line)
{
    struct err_info err;
    s->screen = screen_new(s->hub, false, &err);
    require(s->screen && screen_resize(s->screen, 80, 24));
    run(s, line);
    screen_free(&s->screen);
    hub_tail_close(s->hub);
}

static void run_it(struct stage *s, const char *line)
{
    complete(s, line);
    command_run(s->screen, line);
    screen_draw(s->screen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage s; /* its hub serves every input */
    char line[PROMPT_MAX];
    text_copy_bytes(line, sizeof line, bytes_of(data, size));
    if (!s.hub) {
        setenv("XDG_STATE_HOME", "/dev/null", 1); /* `write` is noted in no journal of ours */
        set_up(&s, 80, 24, true);
        screen_free(&s.screen);
    }
    on_a_new_screen(&s, run_it, line);
    on_a_new_screen(&s, type_it, line);
    return 0;
}
