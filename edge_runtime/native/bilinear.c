/* Bilinear resize without antialiasing: each pixel of the result from the four that surround its centre.

   All of it is whole numbers, weights in parts of 2048, rounded once at the end: edge_runtime/image/resize_and_crop.py, which
   makes the tables of taps, does the same with NumPy, to the same bits. */

#include "native.h"

#define BITS 11
#define ONE (1 << BITS)
#define HALF (1 << (2 * BITS - 1))

/* One coordinate of the result: the pixel before its centre, and how much of the next one it takes. */
typedef struct {
    int32_t first, weight;
} Tap;

/* The taps of a side, if every pixel that they name is one of `pixels`; else NULL with an error. */
static const Tap *taps_of(const Py_buffer *view, int pixels, int64_t *count) {
    const Tap *taps = view->buf;
    *count = view->len / (Py_ssize_t)sizeof *taps;
    int fits = view->len % (Py_ssize_t)sizeof *taps == 0 && *count >= 1 && *count <= MAX_SIDE;
    for (int64_t at = 0; fits && at < *count; at++)
        fits = taps[at].first >= 0 && taps[at].weight >= 0 && taps[at].weight <= ONE &&
               taps[at].first < pixels - (taps[at].weight > 0);
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "taps must name pixels of the picture, with weights of 0 to 2048");
    return fits ? taps : NULL;
}

static inline uint8_t mixed(int top, int top_next, int low, int low_next, int across, int down) {
    int32_t above = top * (ONE - across) + top_next * across, below = low * (ONE - across) + low_next * across;
    return (uint8_t)((above * (ONE - down) + below * down + HALF) >> (2 * BITS));
}

/* `each` is 4 bytes of red, green, blue and nothing, to 3, or 1 of gray to 1: constants where this is inlined. */
static inline __attribute__((always_inline)) void rows(const uint8_t *in, int width, const int each, const Tap *across,
                                                       int64_t wide, const Tap *down, int64_t high, uint8_t *out) {
    const size_t stride = (size_t)each * width;
    const int kept = each == 4 ? 3 : 1;
    for (int64_t y = 0; y < high; y++) {
        const uint8_t *top = in + stride * down[y].first, *low = top + (down[y].weight > 0 ? stride : 0);
        for (int64_t x = 0; x < wide; x++, out += kept) {
            const size_t at = (size_t)each * across[x].first, next = at + (across[x].weight > 0 ? each : 0);
            for (int c = 0; c < kept; c++)
                out[c] = mixed(top[at + c], top[next + c], low[at + c], low[next + c], across[x].weight,
                               down[y].weight);
        }
    }
}

PyObject *snapship_bilinear(PyObject *module, PyObject *args) {
    PyObject *source, *result = NULL;
    Py_buffer in = {0}, out = {0}, across = {0}, down = {0};
    int width, height, each;
    int64_t wide, high;
    (void)module;
    if (!PyArg_ParseTuple(args, "O(ii)iw*y*y*", &source, &width, &height, &each, &out, &across, &down))
        return NULL;
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || (each != 1 && each != 4)) {
        PyErr_SetString(PyExc_ValueError, "sides must be 1 to 65535 pixels, of 1 or 4 bytes each");
        goto done;
    }
    const Tap *columns = taps_of(&across, width, &wide), *lines = columns ? taps_of(&down, height, &high) : NULL;
    if (!lines)
        goto done;
    if ((int64_t)out.len != (each == 4 ? 3 : 1) * wide * high) {
        PyErr_SetString(PyExc_ValueError, "the result must have three bytes for each pixel, of gray one");
        goto done;
    }
    const uint8_t *bytes = snapship_pixels(source, (int64_t)width * height, each, &in);
    if (!bytes)
        goto done;
    PyThreadState *state = PyEval_SaveThread();
    if (each == 4)
        rows(bytes, width, 4, columns, wide, lines, high, out.buf);
    else
        rows(bytes, width, 1, columns, wide, lines, high, out.buf);
    PyEval_RestoreThread(state);
    result = Py_None;
    Py_INCREF(result);
done:
    if (in.obj)
        PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    PyBuffer_Release(&across);
    PyBuffer_Release(&down);
    return result;
}
