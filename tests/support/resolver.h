/* A name server that doesn't answer: in programs that use this, looking "hang.test" up blocks until resolver_release, and
 * "two.test" has two addresses, 127.0.0.2 and 127.0.0.1, "deaf.test" the same in the other order. Everything else is looked up as ever. */
#ifndef TESTS_SUPPORT_RESOLVER_H
#define TESTS_SUPPORT_RESOLVER_H

void resolver_hang(void);    /* before the first look-up */
void resolver_release(void); /* lets the blocked ones go, and waits until they have gone */

#endif
