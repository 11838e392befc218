/* Keys as numbers: Unicode scalar values, control keys (Ctrl-A is 1), and the ones below for what has no character.
 * Floor 5. */
#ifndef SIGNALBOX_UI_KEYS_H
#define SIGNALBOX_UI_KEYS_H

enum key {
    UIKEY_NONE = 0, /* nothing waits */
    UIKEY_TAB = 9,
    UIKEY_RETURN = 13,
    UIKEY_ESCAPE = 27,
    UIKEY_FIRST_NAMED = 0x110000,
    UIKEY_UP = UIKEY_FIRST_NAMED,
    UIKEY_DOWN,
    UIKEY_LEFT,
    UIKEY_RIGHT,
    UIKEY_PAGE_UP,
    UIKEY_PAGE_DOWN,
    UIKEY_HOME,
    UIKEY_END,
    UIKEY_ERASE, /* Backspace, as DEL, as ^H, or as the terminal's own */
    UIKEY_DELETE,
    UIKEY_BACK_TAB,
    UIKEY_HELP,    /* F1 */
    UIKEY_RESIZED, /* the terminal has another size: not a key, but it comes this way */
    UIKEY_PASTE_BEGIN,
    UIKEY_PASTE_END,
    UIKEY_UNKNOWN,
};

#define UIKEY_CONTROL(letter) ((letter)&0x1F)

#endif
