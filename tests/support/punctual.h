/* Deadlines that hold to 100 ms. */
#ifndef TESTS_SUPPORT_PUNCTUAL_H
#define TESTS_SUPPORT_PUNCTUAL_H

#define PUNCTUAL_MS 100

/* took (an lvalue, ms) is ms or up to PUNCTUAL_MS later. A busy machine makes anybody late once, so that `again`, which
 * measures anew into took, is tried twice; what is wrong is late each time. */
#define ASSERT_PUNCTUAL(took, ms, again)                                     \
 do {                                                                        \
  for (int tries_ = 0; (took) >= (ms) + PUNCTUAL_MS && tries_ < 2; tries_++) \
   again;                                                                    \
  assert_true((took) >= (ms)-1 && (took) < (ms) + PUNCTUAL_MS);              \
 } while (0)

#endif
