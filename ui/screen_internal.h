/* The screen's insides, shared by its files: what keys and events do (screen.c), opening channels
 * (screen_open.c), changes (screen_change.c, screen_write.c), and
 * drawing (screen_draw.c). */
#ifndef SIGNALBOX_UI_SCREEN_INTERNAL_H
#define SIGNALBOX_UI_SCREEN_INTERNAL_H

#include "base/state.h"
#include "ui/screen.h"

struct screen {
    struct hub *hub;
    bool demo;
    struct canvas canvas;
    struct view views[VIEWS];
    enum view_id stack[VIEWS]; /* each at most once; [0] is the dashboard */
    size_t depth;
    struct prompt prompt;
    struct prompt_note note;
    struct address confirm; /* what PROMPT_CONFIRM would browse, and how */
    struct screen_read confirm_how;
    char confirm_text[640];
    struct theme theme;
    struct {
        char text[480];
        enum severity severity;
        int64_t until_ns; /* wall clock; INT64_MAX: until a key */
    } notice;
    uint64_t notice_serial; /* the hub's, already shown */
    struct jobs *jobs;
    struct audit *audit;
    const struct audit_list *journal; /* the audit's, as taken last */
    int64_t *
        write_until; /* of the hub's endpoints, in their order: monotonic ns; 0: `:write` has not opened it */
    size_t write_room;
    size_t write_asked; /* the endpoint of the question, and for how long */
    int64_t write_asked_ns;
    struct dialog dialog;
    screen_answer *answer; /* to it */
    void *answer_context;
    char edit_path[STATE_PATH_SIZE + 40];
    screen_answer *edited; /* of that file */
    void *edited_context;
    bool pasting;
    unsigned wants;
};

bool screen_is_small(const struct screen *s);
void screen_typed(struct screen *s); /* asks the view anew what it says to the line: counts are live */

void screen_open_channels(struct screen *s, const struct address *addresses, size_t count,
                          const struct screen_read *how);
enum err screen_change_open(struct screen *s, struct err_info *err);
void screen_change_close(struct screen *s);
void screen_dialog_key(struct screen *s, int key);
/* "WRITE 9m", or "READ-ONLY" where the configuration opens nothing; short where there is little room. "": there is no endpoint. */
enum role screen_badge(const struct screen *s, bool narrow, char *into, size_t size);
bool screen_tell(struct screen *s, uint32_t changes); /* the views; true: the top one wants to be drawn */

#endif
