/* The parts of edge_runtime._native. Python 3.11 and every later one load the same file. */

#ifndef SNAPSHIP_NATIVE_H
#define SNAPSHIP_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>

#define MAX_SIDE 65535

/* Where pixels come from: the part of a picture from `start` to `end`, in pixels of that side. */
typedef struct {
    int size;
    float start, end;
} Span;

/* resample.c: 4 bytes a pixel in, 3 bytes a pixel out; 0, or -1 without memory. Needs no GIL. */
int snapship_resample(const uint8_t *in, Span across, Span down, uint8_t *out, int out_width, int out_height,
                      int plain);

/* resize.c: the bytes of a picture, 4 or 1 for `each` pixel: those of a buffer, which `view` then holds, or of
   what Pillow exports; NULL with an error if it is another number. */
const uint8_t *snapship_pixels(PyObject *source, int64_t pixels, int each, Py_buffer *view);

/* resize.c, bilinear.c and ranking.c: what Python calls. */
PyObject *snapship_resize(PyObject *module, PyObject *args);
PyObject *snapship_bilinear(PyObject *module, PyObject *args);
PyObject *snapship_best(PyObject *module, PyObject *args);

#endif
