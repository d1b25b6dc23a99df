/* Pillow's bilinear resize of 8-bit RGB, bit for bit, and several times faster.

   The arithmetic is that of Pillow's src/libImaging/Resample.c: weights as fixed point of 22 bits, one pass
   along the rows, rounded to 8 bits, one along the columns. Here several sums are formed at once, and of the
   first pass only the rows are kept that the next result needs, so that they stay in the processor's cache.
   edge_runtime/image/resize.py compares both before it relies on this. */

#include "core.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2 1
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))
#endif

#define PRECISION_BITS (32 - 8 - 2)
#define HALF (1 << (PRECISION_BITS - 1))
#define LOW_BITS 11 /* a weight is HIGH << 11 | LOW: both parts fit 16 bits, signed */
#define FEW 4       /* taps whose rounded weights cannot sum up to more than 255 */

/* What one side of the result is made of: `counts` pixels from `firsts` on, and their weights. */
typedef struct {
    int size, most, taps; /* results; most pixels that one is made of; weights stored for each */
    int *firsts, *counts;
    int32_t *weights; /* [size][taps] */
} Side;

static void side_free(Side *side) {
    free(side->firsts);
    free(side->weights);
}

/* The triangle filter, widened where the side shrinks, normalised, rounded; -1 without memory. */
static int side_make(Side *side, CoreSpan from, int size) {
    double scale = (double)(from.end - from.start) / size;
    double support = scale < 1.0 ? 1.0 : scale, step = 1.0 / support;
    int taps = (int)__builtin_ceil(support) * 2 + 1;
    double *exact = malloc((size_t)taps * sizeof *exact);
    side->size = size;
    side->taps = taps;
    side->firsts = malloc((size_t)size * 2 * sizeof *side->firsts);
    side->counts = side->firsts + size;
    side->weights = calloc((size_t)size * taps, sizeof *side->weights);
    if (!exact || !side->firsts || !side->weights) {
        free(exact);
        return -1;
    }
    for (int at = 0; at < size; at++) {
        double center = from.start + (at + 0.5) * scale, sum = 0.0;
        int32_t *weights = side->weights + (size_t)at * taps;
        int first = (int)(center - support + 0.5), end = (int)(center + support + 0.5);
        first = first < 0 ? 0 : first;
        int count = (end > from.size ? from.size : end) - first;
        for (int tap = 0; tap < count; tap++) {
            double distance = __builtin_fabs((tap + first - center + 0.5) * step);
            exact[tap] = distance < 1.0 ? 1.0 - distance : 0.0;
            sum += exact[tap];
        }
        for (int tap = 0; tap < count; tap++)
            weights[tap] = (int32_t)(0.5 + (sum != 0.0 ? exact[tap] / sum : exact[tap]) * (1 << PRECISION_BITS));
        side->firsts[at] = first;
        side->counts[at] = count;
        side->most = count > side->most ? count : side->most;
    }
    free(exact);
    return 0;
}

static inline uint8_t clipped(int32_t sum) {
    sum >>= PRECISION_BITS;
    return sum > 255 ? 255 : (uint8_t)sum;
}

/* One row of a picture, 4 bytes a pixel, to one of the result's width, 3 bytes a pixel. */
static void row_plain(const uint8_t *in, uint8_t *restrict out, const Side *side) {
    for (int at = 0; at < side->size; at++, out += 3) {
        const uint8_t *pixel = in + 4 * (size_t)side->firsts[at];
        const int32_t *weights = side->weights + (size_t)at * side->taps;
        int32_t red = HALF, green = HALF, blue = HALF;
        for (int tap = 0; tap < side->counts[at]; tap++, pixel += 4) {
            red += pixel[0] * weights[tap];
            green += pixel[1] * weights[tap];
            blue += pixel[2] * weights[tap];
        }
        out[0] = clipped(red), out[1] = clipped(green), out[2] = clipped(blue);
    }
}

/* The same of gray: one byte a pixel to one. */
static void row_gray(const uint8_t *in, uint8_t *restrict out, const Side *side) {
    for (int at = 0; at < side->size; at++) {
        const uint8_t *pixel = in + side->firsts[at];
        const int32_t *weights = side->weights + (size_t)at * side->taps;
        int32_t sum = HALF;
        for (int tap = 0; tap < side->counts[at]; tap++)
            sum += pixel[tap] * weights[tap];
        out[at] = clipped(sum);
    }
}

/* One row of the result from `count` rows: loops that compilers turn into vectors. */
static inline __attribute__((always_inline)) void mix_rows(const uint8_t *const *rows, int count,
                                                           const int32_t *weights, uint8_t *restrict out, int bytes) {
    if (count <= FEW) {
        const uint8_t *a = rows[0], *b = rows[count > 1 ? 1 : 0], *c = rows[count > 2 ? 2 : 0];
        const uint8_t *d = rows[count > 3 ? 3 : 0];
        const int32_t p = weights[0], q = count > 1 ? weights[1] : 0, r = count > 2 ? weights[2] : 0;
        const int32_t s = count > 3 ? weights[3] : 0;
        if (count <= 2)
            for (int i = 0; i < bytes; i++)
                out[i] = (uint8_t)((HALF + a[i] * p + b[i] * q) >> PRECISION_BITS);
        else if (count == 3)
            for (int i = 0; i < bytes; i++)
                out[i] = (uint8_t)((HALF + a[i] * p + b[i] * q + c[i] * r) >> PRECISION_BITS);
        else
            for (int i = 0; i < bytes; i++)
                out[i] = (uint8_t)((HALF + a[i] * p + b[i] * q + c[i] * r + d[i] * s) >> PRECISION_BITS);
        return;
    }
    int32_t sums[512];
    for (int at = 0; at < bytes; at += 512) {
        int some = bytes - at < 512 ? bytes - at : 512;
        for (int i = 0; i < some; i++)
            sums[i] = HALF;
        for (int tap = 0; tap < count; tap++) {
            const uint8_t *row = rows[tap] + at;
            const int32_t weight = weights[tap];
            for (int i = 0; i < some; i++)
                sums[i] += row[i] * weight;
        }
        for (int i = 0; i < some; i++)
            out[at + i] = clipped(sums[i]);
    }
}

static void mix_plain(const uint8_t *const *rows, int count, const int32_t *weights, uint8_t *out, int bytes) {
    mix_rows(rows, count, weights, out, bytes);
}

/* The weights of a side for vectors: four taps at a time, in low and high parts, a pair of taps for each of
   four bytes: k0 k1 k0 k1 k0 k1 k0 k1 | k2 k3 k2 k3 k2 k3 k2 k3. Results are rounded up to whole fours. */
typedef struct {
    int groups;
    int *firsts;
    int16_t *parts; /* [size][groups][low, high][16] */
} Packed;

#ifdef HAVE_AVX2
static void packed_free(Packed *packed) {
    free(packed->firsts);
    free(packed->parts);
}

static int packed_make(Packed *packed, const Side *side, int in_size) {
    size_t size = ((size_t)side->size + 3) & ~(size_t)3;
    packed->groups = (side->most + 3) / 4;
    packed->firsts = calloc(size, sizeof *packed->firsts);
    packed->parts = calloc(size * packed->groups * 32, sizeof *packed->parts);
    if (!packed->firsts || !packed->parts)
        return -1;
    for (int at = 0; at < side->size; at++) {
        const int32_t *weights = side->weights + (size_t)at * side->taps;
        /* Whole fours are read: near the end of a row they start earlier, with weights of zero. */
        int latest = in_size - 4 * packed->groups, first = side->firsts[at];
        int start = first < latest ? first : latest;
        packed->firsts[at] = start;
        for (int tap = 0; tap < side->counts[at]; tap++) {
            int place = tap + first - start;
            int16_t *part = packed->parts + ((size_t)at * packed->groups + place / 4) * 32;
            for (int byte = 0; byte < 4; byte++) {
                int lane = place % 4 / 2 * 8 + byte * 2 + place % 2;
                part[lane] = (int16_t)(weights[tap] & ((1 << LOW_BITS) - 1));
                part[16 + lane] = (int16_t)(weights[tap] >> LOW_BITS);
            }
        }
    }
    return 0;
}

/* Sums of one result, of its even pairs of taps and of its odd ones: red green blue unused | the same. */
AVX2 static inline __m256i pixel_sums(const uint8_t *pixel, const int16_t *part, int groups) {
    const __m256i pairs = _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1,
                                           8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int group = 0; group < groups; group++, pixel += 16, part += 32) {
        __m256i four = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)pixel));
        four = _mm256_shuffle_epi8(four, pairs);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(four, _mm256_loadu_si256((const __m256i *)part)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(four, _mm256_loadu_si256((const __m256i *)part + 1)));
    }
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, LOW_BITS));
}

/* Two results, rounded: 32 bits each. */
AVX2 static inline __m256i two_pixels(__m256i one, __m256i other) {
    __m256i sums = _mm256_add_epi32(_mm256_permute2x128_si256(one, other, 0x20),
                                    _mm256_permute2x128_si256(one, other, 0x31));
    return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(HALF)), PRECISION_BITS);
}

/* As row_plain, four results at a time; writes 4 bytes past the last four. */
AVX2 static void row_avx2(const uint8_t *in, uint8_t *out, int size, const Packed *packed, int groups) {
    const __m128i compact = _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, -1, -1, -1, -1);
    const int16_t *part = packed->parts;
    const int *first = packed->firsts;
    for (int at = 0; at < size; at += 4, out += 12, part += groups * 128, first += 4) {
        __m256i a = pixel_sums(in + 4 * (size_t)first[0], part, groups);
        __m256i b = pixel_sums(in + 4 * (size_t)first[1], part + groups * 32, groups);
        __m256i c = pixel_sums(in + 4 * (size_t)first[2], part + groups * 64, groups);
        __m256i d = pixel_sums(in + 4 * (size_t)first[3], part + groups * 96, groups);
        /* a c | b d in 16 bits, then in 8, clipped. */
        __m256i words = _mm256_packs_epi32(two_pixels(a, b), two_pixels(c, d));
        __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(bytes, compact));
    }
}

AVX2 static void mix_avx2(const uint8_t *const *rows, int count, const int32_t *weights, uint8_t *out, int bytes) {
    mix_rows(rows, count, weights, out, bytes);
}
#endif

struct CoreResample {
    int width, height, channels;
    size_t in_stride, stride; /* bytes of a row of the picture, and of a kept one */
    Side across, down;
    Packed packed;
    int vectors, quick; /* mix_avx2; row_avx2 */
    int next;           /* the picture's next row that is needed */
    uint8_t *kept;      /* [down.most][stride]: the last rows, of the result's width */
    const uint8_t **rows;
};

void core_resample_free(CoreResample *resample) {
    if (!resample)
        return;
#ifdef HAVE_AVX2
    packed_free(&resample->packed);
#endif
    free(resample->kept);
    free(resample->rows);
    side_free(&resample->across);
    side_free(&resample->down);
    free(resample);
}

CoreResample *core_resample_new(CoreSpan across, CoreSpan down, int width, int height, int channels, int portable) {
    CoreResample *resample = calloc(1, sizeof *resample);
    if (!resample)
        return NULL;
    resample->width = width;
    resample->height = height;
    resample->channels = channels;
    resample->in_stride = (size_t)across.size * (channels == 3 ? 4 : 1);
    /* For the last four of a row, and the 4 bytes past them. */
    resample->stride = channels * (((size_t)width + 3) & ~(size_t)3) + 4;
    int failed = side_make(&resample->across, across, width) || side_make(&resample->down, down, height);
    size_t most = resample->down.most;
    failed = failed || (uint64_t)resample->stride * most > PTRDIFF_MAX;
    if (!failed) {
        resample->kept = malloc(resample->stride * most);
        resample->rows = malloc(most * sizeof *resample->rows);
        failed = !resample->kept || !resample->rows;
    }
#ifdef HAVE_AVX2
    resample->vectors = !portable && __builtin_cpu_supports("avx2");
    /* Whole fours must lie in a row. */
    resample->quick = resample->vectors && channels == 3 && across.size >= resample->across.most + 3;
    if (resample->quick && !failed)
        failed = packed_make(&resample->packed, &resample->across, across.size);
#else
    (void)portable;
#endif
    if (failed) {
        core_resample_free(resample);
        return NULL;
    }
    return resample;
}

static inline void row_in(const CoreResample *resample, const uint8_t *in, uint8_t *row) {
#ifdef HAVE_AVX2
    if (resample->quick) {
        row_avx2(in, row, resample->width, &resample->packed, resample->packed.groups);
        return;
    }
#endif
    if (resample->channels == 3)
        row_plain(in, row, &resample->across);
    else
        row_gray(in, row, &resample->across);
}

static inline void row_out(const CoreResample *resample, int at, uint8_t *out) {
    const Side *down = &resample->down;
    const int first = down->firsts[at], count = down->counts[at], bytes = resample->channels * resample->width;
    const int32_t *weights = down->weights + (size_t)at * down->taps;
    const uint8_t **rows = resample->rows;
    for (int tap = 0, slot = first % down->most; tap < count; tap++, slot = slot + 1 < down->most ? slot + 1 : 0)
        rows[tap] = resample->kept + slot * resample->stride;
#ifdef HAVE_AVX2
    if (resample->vectors) {
        mix_avx2(rows, count, weights, out, bytes);
        return;
    }
#endif
    mix_plain(rows, count, weights, out, bytes);
}

int core_resample_push(CoreResample *resample, const uint8_t *rows, int first, int end, int done, uint8_t *out) {
    const Side *down = &resample->down;
    const size_t stride = resample->stride, in_stride = resample->in_stride;
    const size_t bytes = (size_t)resample->channels * resample->width;
    int next = resample->next;
    for (; done < resample->height; done++) {
        const int from = down->firsts[done], to = from + down->counts[done];
        for (next = next < from ? from : next; next < to && next < end; next++)
            row_in(resample, rows + (size_t)(next - first) * in_stride, resample->kept + next % down->most * stride);
        if (next < to)
            break;
        row_out(resample, done, out + done * bytes);
    }
    resample->next = next;
    return done;
}
