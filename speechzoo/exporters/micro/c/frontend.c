#include "frontend.h"

#include <string.h>

#define HALF (SPEECHZOO_FFT_LENGTH / 2)

static int64_t rounded(int64_t value, int shift) { return (value + ((int64_t)1 << (shift - 1))) >> shift; }

/* (real + i imaginary) x exp(-2 pi i k / SPEECHZOO_FFT_LENGTH) */
static void turn(int64_t real, int64_t imaginary, int k, int64_t* turned_real, int64_t* turned_imaginary) {
  const int64_t cosine = speechzoo_twiddles[2 * k], sine = speechzoo_twiddles[2 * k + 1];
  *turned_real = rounded(real * cosine - imaginary * sine, SPEECHZOO_TWIDDLE_BITS);
  *turned_imaginary = rounded(real * sine + imaginary * cosine, SPEECHZOO_TWIDDLE_BITS);
}

/* Radix-2 decimation in time, of HALF points, in place; the points come in bit-reversed order. */
static void transform(int32_t* real, int32_t* imaginary) {
  for (int span = 1; span < HALF; span *= 2) {
    for (int start = 0; start < HALF; start += 2 * span) {
      for (int k = 0; k < span; k++) {
        const int a = start + k, b = a + span;
        int64_t turned_real, turned_imaginary;
        turn(real[b], imaginary[b], k * (HALF / span), &turned_real, &turned_imaginary);
        real[b] = (int32_t)(real[a] - turned_real);
        imaginary[b] = (int32_t)(imaginary[a] - turned_imaginary);
        real[a] = (int32_t)(real[a] + turned_real);
        imaginary[a] = (int32_t)(imaginary[a] + turned_imaginary);
      }
    }
  }
}

static uint64_t squared(int64_t real, int64_t imaginary) {
  return (uint64_t)(real * real + imaginary * imaginary) >> SPEECHZOO_POWER_SHIFT;
}

/* Windowed samples -> power of the spectrum, which is doubled. */
static void spectrum(SpeechzooFrontend* f) {
  for (int i = 0, reversed = 0; i < HALF; i++) {
    int32_t pair[2] = {0, 0};
    for (int j = 0; j < 2; j++) {
      if (2 * i + j < SPEECHZOO_WINDOW_LENGTH) {
        pair[j] = (int32_t)rounded((int64_t)f->sharpened[2 * i + j] * speechzoo_window[2 * i + j],
                                   SPEECHZOO_WINDOW_SHIFT);
      }
    }
    f->real[reversed] = pair[0];
    f->imaginary[reversed] = pair[1];
    int bit = HALF >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed |= bit;
  }
  transform(f->real, f->imaginary);
  /* Even and odd samples were one complex signal; their spectra are its symmetric and antisymmetric parts. */
  const int64_t real0 = f->real[0], imaginary0 = f->imaginary[0];
  f->power[0] = squared(2 * (real0 + imaginary0), 0);
  f->power[HALF] = squared(2 * (real0 - imaginary0), 0);
  for (int k = 1; k < HALF; k++) {
    const int64_t real = f->real[k], imaginary = f->imaginary[k];
    const int64_t mirrored_real = f->real[HALF - k], mirrored_imaginary = f->imaginary[HALF - k];
    int64_t odd_real, odd_imaginary;
    turn(imaginary + mirrored_imaginary, mirrored_real - real, k, &odd_real, &odd_imaginary);
    f->power[k] = squared(real + mirrored_real + odd_real, imaginary - mirrored_imaginary + odd_imaginary);
  }
}

/* Base 2, SPEECHZOO_LOG_BITS fraction bits; value is at least 1. */
static int64_t logarithm(uint64_t value) {
  int exponent = 0;
  for (int step = 32; step; step >>= 1) {
    if (value >> exponent >> step) exponent += step;
  }
  const uint64_t mantissa = exponent > SPEECHZOO_LOG_BITS ? value >> (exponent - SPEECHZOO_LOG_BITS)
                                                          : value << (SPEECHZOO_LOG_BITS - exponent);
  const int fraction = (int)(mantissa & ((1 << SPEECHZOO_LOG_BITS) - 1));
  const int inside = SPEECHZOO_LOG_BITS - SPEECHZOO_LOG_SEGMENT_BITS;
  const int segment = fraction >> inside, position = fraction & ((1 << inside) - 1);
  const int64_t low = speechzoo_logarithms[segment], high = speechzoo_logarithms[segment + 1];
  return ((int64_t)exponent << SPEECHZOO_LOG_BITS) + low + rounded((high - low) * position, inside);
}

static void compute(SpeechzooFrontend* f, int8_t* features) {
  spectrum(f);
  const uint16_t* weight = speechzoo_filter_weights;
  for (int m = 0; m < SPEECHZOO_NUM_MEL_BINS; m++) {
    uint64_t energy = 0;
    for (int i = 0; i < speechzoo_filter_sizes[m]; i++) energy += f->power[speechzoo_filter_starts[m] + i] * *weight++;
    if (energy < SPEECHZOO_FLOOR) energy = SPEECHZOO_FLOOR;
    const int64_t feature =
        (logarithm(energy) * speechzoo_multipliers[m] + speechzoo_offsets[m]) >> SPEECHZOO_FEATURE_BITS;
    features[m] = (int8_t)(feature < -128 ? -128 : feature > 127 ? 127 : feature);
  }
}

void speechzoo_frontend_init(SpeechzooFrontend* frontend) {
  memset(frontend, 0, sizeof(*frontend));
  frontend->count = SPEECHZOO_LOOKBACK;
}

int speechzoo_frontend_feed(SpeechzooFrontend* frontend, const int16_t* samples, size_t count, size_t* used,
                            int8_t* features) {
  for (*used = 0; *used < count && frontend->count < SPEECHZOO_WINDOW_LENGTH; ++*used) {
    int32_t sharpened = 0;
    if (samples) {
      sharpened = (int32_t)(samples[*used] * (1 << SPEECHZOO_PREEMPHASIS_BITS)
                            - SPEECHZOO_PREEMPHASIS * frontend->last_sample);
      frontend->last_sample = samples[*used];
    }
    frontend->sharpened[frontend->count++] = sharpened;
  }
  if (frontend->count < SPEECHZOO_WINDOW_LENGTH) return 0;
  compute(frontend, features);
  frontend->count -= SPEECHZOO_HOP_LENGTH;
  memmove(frontend->sharpened, frontend->sharpened + SPEECHZOO_HOP_LENGTH,
          (size_t)frontend->count * sizeof(*frontend->sharpened));
  return 1;
}
