/* Bilinear resize without antialiasing: each pixel of the result from the four that surround its centre.

   All of it is whole numbers, weights in parts of 2048, rounded once at the end.
   edge_runtime/image/resize_and_crop.py does the same with NumPy, to the same bits. */

#include "core.h"

#define BITS 11
#define ONE (1 << BITS)
#define HALF (1 << (2 * BITS - 1))

struct CoreBilinear {
    int width, height, channels;
    size_t stride; /* bytes of a row of the picture */
    CoreTap *across, *down;
    uint8_t *kept; /* the last row of the bands before, if the next row of the result needs it */
};

int core_taps_fit(const CoreTap *taps, int64_t count, int pixels) {
    int fits = count >= 1 && count <= CORE_MAX_SIDE;
    for (int64_t at = 0; fits && at < count; at++)
        fits = taps[at].first >= 0 && taps[at].weight >= 0 && taps[at].weight <= ONE &&
               taps[at].first < pixels - (taps[at].weight > 0);
    return fits;
}

/* The taps of one side; at the ends of the part both pixels are its last one. */
static CoreTap *taps_new(CoreSpan from, int size) {
    int start = (int)from.start, length = (int)from.end - start;
    CoreTap *taps = malloc((size_t)size * sizeof *taps);
    for (int at = 0; taps && at < size; at++) {
        /* Twice the place, in parts of a pixel of the result: at least 1 - size, so the division rounds up
           below zero, where the first pixel is taken whatever its value. */
        int64_t doubled = (2 * (int64_t)at + 1) * length - size;
        int first = (int)(doubled / (2 * size)), rest = (int)(doubled % (2 * size));
        int inside = doubled >= 0 && first < length - 1;
        taps[at].first = start + (doubled < 0 ? 0 : first < length - 1 ? first : length - 1);
        taps[at].weight = inside ? (int32_t)(((int64_t)rest * ONE + size) / (2 * size)) : 0;
    }
    return taps;
}

CoreBilinear *core_bilinear_new(CoreSpan across, CoreSpan down, int width, int height, int channels) {
    CoreBilinear *bilinear = calloc(1, sizeof *bilinear);
    if (!bilinear)
        return NULL;
    bilinear->width = width;
    bilinear->height = height;
    bilinear->channels = channels;
    bilinear->stride = (size_t)across.size * (channels == 3 ? 4 : 1);
    bilinear->across = taps_new(across, width);
    bilinear->down = taps_new(down, height);
    bilinear->kept = malloc(bilinear->stride);
    if (!bilinear->across || !bilinear->down || !bilinear->kept) {
        core_bilinear_free(bilinear);
        return NULL;
    }
    return bilinear;
}

void core_bilinear_free(CoreBilinear *bilinear) {
    if (!bilinear)
        return;
    free(bilinear->across);
    free(bilinear->down);
    free(bilinear->kept);
    free(bilinear);
}

/* 4 bytes a pixel to 3: the weights of the four pixels are made once for all channels. */
static void row_colour(const uint8_t *top, const uint8_t *low, const CoreTap *across, int width, int weight,
                       uint8_t *restrict out) {
    for (int x = 0; x < width; x++, out += 3) {
        const size_t at = (size_t)4 * across[x].first, next = at + (across[x].weight > 0 ? 4 : 0);
        const int32_t right = across[x].weight, left = ONE - right;
        const int32_t a = left * (ONE - weight), b = right * (ONE - weight), c = left * weight, d = right * weight;
        for (int i = 0; i < 3; i++)
            out[i] = (uint8_t)((top[at + i] * a + top[next + i] * b + low[at + i] * c + low[next + i] * d + HALF) >>
                               (2 * BITS));
    }
}

static void row_gray(const uint8_t *top, const uint8_t *low, const CoreTap *across, int width, int weight,
                     uint8_t *restrict out) {
    for (int x = 0; x < width; x++) {
        const size_t at = across[x].first, next = at + (across[x].weight > 0);
        const int32_t right = across[x].weight, left = ONE - right;
        const int32_t above = top[at] * left + top[next] * right, below = low[at] * left + low[next] * right;
        out[x] = (uint8_t)((above * (ONE - weight) + below * weight + HALF) >> (2 * BITS));
    }
}

void core_bilinear_row(const uint8_t *top, const uint8_t *low, int channels, const CoreTap *across, int width,
                       int weight, uint8_t *out) {
    (channels == 3 ? row_colour : row_gray)(top, low, across, width, weight, out);
}

int core_bilinear_push(CoreBilinear *bilinear, const uint8_t *rows, int first, int end, int done, uint8_t *out) {
    const size_t stride = bilinear->stride, bytes = (size_t)bilinear->width * bilinear->channels;
    while (done < bilinear->height) {
        const CoreTap tap = bilinear->down[done];
        int last = tap.first + (tap.weight > 0);
        if (last >= end)
            break;
        /* A row of an earlier band can only be the one before this band: that one was kept. */
        const uint8_t *top = tap.first < first ? bilinear->kept : rows + stride * (size_t)(tap.first - first);
        const uint8_t *low = last < first ? bilinear->kept : rows + stride * (size_t)(last - first);
        core_bilinear_row(top, low, bilinear->channels, bilinear->across, bilinear->width, tap.weight,
                          out + bytes * (size_t)done++);
    }
    if (done < bilinear->height && bilinear->down[done].first == end - 1 && end > first)
        __builtin_memcpy(bilinear->kept, rows + stride * (size_t)(end - 1 - first), stride);
    return done;
}
