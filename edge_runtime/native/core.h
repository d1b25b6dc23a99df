/* snapship's core: whatever must give the same bytes on every machine, as a library without Python.

   Hosts call it: python.c (edge_runtime._native), wasm.c (core.wasm, for browsers), jni.c (Android, any JVM).
   Pixels are computed in integers. The weights of the antialiased resize are made in double precision: compile
   with -ffp-contract=off, because a fused multiply-add rounds once where Pillow's build rounds twice.

   A picture goes through in bands: rows in, finished rows of the result out. Only what the next rows of the
   result need is kept, a few rows of the result's width, and never the picture. */

#ifndef SNAPSHIP_CORE_H
#define SNAPSHIP_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
/* Without a C library; wasm.c has these. */
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void free(void *block);
#else
#include <stdlib.h>
#endif

#define CORE_MAX_SIDE 65535

/* resizer.c: what to resize, and how. */
typedef struct {
    int in_width, in_height;        /* of the picture, 1 to CORE_MAX_SIDE */
    float left, top, right, bottom; /* the part of it that is resized; in whole pixels if `plain` */
    int out_width, out_height;
    int channels; /* 3: rows of 4 bytes a pixel, the last unused, become 3 bytes a pixel; 1: 1 becomes 1 */
    int plain;    /* four pixels for each of the result; else antialiased, as Pillow's BILINEAR */
    int portable; /* without vector instructions written by hand, for tests */
} CoreResize;

typedef struct CoreResizer CoreResizer;

/* What does not fit, in words; NULL if all does. */
const char *core_resize_problem(const CoreResize *resize);

/* A resizer for one picture. `out` takes the result; NULL: the resizer's own memory takes it. Returns NULL
   if there is a problem or no memory. */
CoreResizer *core_resizer_new(const CoreResize *resize, uint8_t *out);

/* The picture's next `count` rows, without gaps, top to bottom. They may be freed or overwritten afterwards.
   Returns the number of finished rows of the result so far; -1 if the picture has fewer rows left. */
int core_resizer_push(CoreResizer *resizer, const uint8_t *rows, int count);

/* [out_height][out_width][channels]; all of it once the resizer has finished. */
const uint8_t *core_resizer_result(const CoreResizer *resizer);
int core_resizer_finished(const CoreResizer *resizer);
const CoreResize *core_resizer_resize(const CoreResizer *resizer);
void core_resizer_free(CoreResizer *resizer);

/* pixels.c: RGBA with straight alpha, put on white by Pillow's formula. */

/* To 3 bytes a pixel, or to 1 of gray by Pillow's formula. `out` may be `rgba`. */
void core_pixels(const uint8_t *rgba, size_t count, int channels, uint8_t *out);

/* In place, to 4 bytes a pixel, the last 255; returns 1 if a pixel was not opaque, else 0. */
int core_opaque(uint8_t *rgba, size_t count);

/* ranking.c: indices of the `count` best scores, best first; of equal ones the lower index comes first.
   `best` has room for `count` or for all. Returns how many; -1 if a score is not finite. */
ptrdiff_t core_best(const float *scores, ptrdiff_t size, ptrdiff_t count, ptrdiff_t *best);

/* sha256.c */
typedef struct {
    uint32_t state[8];
    uint64_t bytes;
    uint8_t block[64];
} CoreSha256;

void core_sha256_start(CoreSha256 *hash);
void core_sha256_update(CoreSha256 *hash, const uint8_t *data, size_t bytes);
void core_sha256_final(CoreSha256 *hash, uint8_t digest[32]);

/* resample.c and bilinear.c: the two ways to resize, as resizer.c and python.c use them. */

/* One side of the picture: its pixels, and the part of them that is resized. */
typedef struct {
    int size;
    float start, end;
} CoreSpan;

typedef struct CoreResample CoreResample;

CoreResample *core_resample_new(CoreSpan across, CoreSpan down, int width, int height, int channels, int portable);
void core_resample_free(CoreResample *resample);

/* The picture's rows from `first` to `end`; `done` rows of the result are finished. Returns how many are now. */
int core_resample_push(CoreResample *resample, const uint8_t *rows, int first, int end, int done, uint8_t *out);

typedef struct CoreBilinear CoreBilinear;

CoreBilinear *core_bilinear_new(CoreSpan across, CoreSpan down, int width, int height, int channels);
void core_bilinear_free(CoreBilinear *bilinear);
int core_bilinear_push(CoreBilinear *bilinear, const uint8_t *rows, int first, int end, int done, uint8_t *out);

/* One coordinate of the result: the pixel before its centre, and how much of the next one it takes, in parts
   of 2048. */
typedef struct {
    int32_t first, weight;
} CoreTap;

/* Whether the picture's side has every pixel that the taps name. */
int core_taps_fit(const CoreTap *taps, int64_t count, int pixels);

/* One row of the result, from two of the picture, which may be the same. */
void core_bilinear_row(const uint8_t *top, const uint8_t *low, int channels, const CoreTap *across, int width,
                       int weight, uint8_t *out);

#endif
