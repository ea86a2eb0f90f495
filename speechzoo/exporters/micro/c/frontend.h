/* Log-mel features in integers: 16-bit samples -> the int8 features that the network takes.
 *
 * The same as speechzoo/frontends/fixed_point.py, bit for bit. C99, no floating point, no allocation, no library; right
 * shifts of negative numbers must be arithmetic, as every compiler for these chips has them.
 */
#ifndef SPEECHZOO_FRONTEND_H_
#define SPEECHZOO_FRONTEND_H_

#include <stddef.h>
#include <stdint.h>

#include "frontend_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a front end remembers from one call to the next, and the memory it computes in. */
typedef struct {
  int32_t sharpened[SPEECHZOO_WINDOW_LENGTH]; /* samples after pre-emphasis, the oldest first */
  int32_t count;                              /* of them */
  int16_t last_sample;
  int32_t real[SPEECHZOO_FFT_LENGTH / 2];
  int32_t imaginary[SPEECHZOO_FFT_LENGTH / 2];
  uint64_t power[SPEECHZOO_FFT_LENGTH / 2 + 1];
} SpeechzooFrontend;

/* Begins a stream: silence before its first sample. */
void speechzoo_frontend_init(SpeechzooFrontend* frontend);

/* Takes samples until a frame of features is complete.
 *
 *   samples, count   16-bit samples at SPEECHZOO_SAMPLE_RATE; NULL for silence behind the end of a recording.
 *   used             How many of them were taken; the rest belongs to the next call.
 *   features         SPEECHZOO_NUM_MEL_BINS values, written when the call returns 1.
 *
 * Returns 1 when a frame is complete, 0 when more samples are needed.
 */
int speechzoo_frontend_feed(SpeechzooFrontend* frontend, const int16_t* samples, size_t count, size_t* used,
                            int8_t* features);

#ifdef __cplusplus
}
#endif

#endif /* SPEECHZOO_FRONTEND_H_ */
