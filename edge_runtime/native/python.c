/* edge_runtime._native: what runs once for every image, and would run slower in Python. See _native.pyi.

   The only file with Python.h; Python 3.11 and every later one load the same build. What Python hands over is
   checked here before anything reads it. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "core.h"

/* The Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html */
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

/* What Pillow exports as an Arrow list of four bytes a pixel, or of single bytes; NULL for anything else. */
static const uint8_t *arrow_bytes(const struct ArrowArray *array, int64_t pixels, int each) {
    if (!array || array->length != pixels || array->offset || array->n_children != (each > 1))
        return NULL;
    const struct ArrowArray *bytes = each > 1 ? array->children[0] : array;
    int fits = bytes->length == each * pixels && !bytes->offset && bytes->n_buffers == 2;
    return fits ? bytes->buffers[1] : NULL;
}

/* The bytes of a picture, 4 or 1 for `each` pixel: those of a buffer, which `view` then holds, or of what
   Pillow exports; NULL with an error if it is another number. */
static const uint8_t *picture_bytes(PyObject *source, int64_t pixels, int each, Py_buffer *view) {
    if (PyCapsule_IsValid(source, "arrow_array")) {
        const uint8_t *bytes = arrow_bytes(PyCapsule_GetPointer(source, "arrow_array"), pixels, each);
        if (!bytes)
            PyErr_Format(PyExc_ValueError, "the Arrow array is not %s for each pixel", each > 1 ? "four bytes" : "one byte");
        return bytes;
    }
    if (PyObject_GetBuffer(source, view, PyBUF_SIMPLE))
        return NULL;
    if ((int64_t)view->len == each * pixels)
        return view->buf;
    PyErr_Format(PyExc_ValueError, "the picture must have %s for each pixel", each > 1 ? "four bytes" : "one byte");
    return NULL;
}

static PyObject *resize(PyObject *module, PyObject *args) {
    PyObject *source;
    Py_buffer in = {0}, out = {0};
    CoreResize what = {.channels = 3};
    int failed = -1;
    const uint8_t *bytes = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "O(ii)w*(ii)(ffff)|p", &source, &what.in_width, &what.in_height, &out,
                          &what.out_width, &what.out_height, &what.left, &what.top, &what.right, &what.bottom,
                          &what.portable))
        return NULL;
    const char *problem = core_resize_problem(&what);
    if (problem)
        PyErr_SetString(PyExc_ValueError, problem);
    else if ((int64_t)out.len != (int64_t)3 * what.out_width * what.out_height)
        PyErr_SetString(PyExc_ValueError, "the result must have three bytes for each pixel");
    else
        bytes = picture_bytes(source, (int64_t)what.in_width * what.in_height, 4, &in);
    if (bytes) {
        PyThreadState *state = PyEval_SaveThread();
        CoreResizer *resizer = core_resizer_new(&what, out.buf);
        if (resizer)
            failed = core_resizer_push(resizer, bytes, what.in_height) != what.out_height;
        core_resizer_free(resizer);
        PyEval_RestoreThread(state);
        if (failed)
            PyErr_NoMemory();
    }
    if (in.obj)
        PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* The taps of a side, if every pixel that they name is one of `pixels`; else NULL with an error. */
static const CoreTap *taps_of(const Py_buffer *view, int pixels, int64_t *count) {
    *count = view->len / (Py_ssize_t)sizeof(CoreTap);
    if (view->len % (Py_ssize_t)sizeof(CoreTap) == 0 && core_taps_fit(view->buf, *count, pixels))
        return view->buf;
    PyErr_SetString(PyExc_ValueError, "taps must name pixels of the picture, with weights of 0 to 2048");
    return NULL;
}

static PyObject *bilinear(PyObject *module, PyObject *args) {
    PyObject *source, *result = NULL;
    Py_buffer in = {0}, out = {0}, across = {0}, down = {0};
    int width, height, each;
    int64_t wide, high;
    (void)module;
    if (!PyArg_ParseTuple(args, "O(ii)iw*y*y*", &source, &width, &height, &each, &out, &across, &down))
        return NULL;
    if (width < 1 || height < 1 || width > CORE_MAX_SIDE || height > CORE_MAX_SIDE || (each != 1 && each != 4)) {
        PyErr_SetString(PyExc_ValueError, "sides must be 1 to 65535 pixels, of 1 or 4 bytes each");
        goto done;
    }
    const CoreTap *columns = taps_of(&across, width, &wide), *lines = columns ? taps_of(&down, height, &high) : NULL;
    if (!lines)
        goto done;
    const int channels = each == 4 ? 3 : 1;
    if ((int64_t)out.len != channels * wide * high) {
        PyErr_SetString(PyExc_ValueError, "the result must have three bytes for each pixel, of gray one");
        goto done;
    }
    const uint8_t *bytes = picture_bytes(source, (int64_t)width * height, each, &in);
    if (!bytes)
        goto done;
    PyThreadState *state = PyEval_SaveThread();
    for (int64_t y = 0; y < high; y++) {
        const size_t stride = (size_t)each * width;
        const uint8_t *top = bytes + stride * lines[y].first, *low = top + (lines[y].weight > 0 ? stride : 0);
        core_bilinear_row(top, low, channels, columns, (int)wide, lines[y].weight,
                          (uint8_t *)out.buf + channels * wide * y);
    }
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

static PyObject *best(PyObject *module, PyObject *args) {
    Py_buffer view;
    Py_ssize_t count;
    PyObject *result = NULL;
    ptrdiff_t *places = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*n", &view, &count))
        return NULL;
    const float *scores = view.buf;
    const Py_ssize_t size = view.len / (Py_ssize_t)sizeof *scores;
    if (view.itemsize != (Py_ssize_t)sizeof *scores || count < 1) {
        PyErr_SetString(PyExc_ValueError, "scores must be float32, and count at least 1");
        goto done;
    }
    count = count < size ? count : size;
    places = PyMem_Malloc((size_t)(count + 1) * sizeof *places);
    if (!places) {
        PyErr_NoMemory();
        goto done;
    }
    const ptrdiff_t found = core_best(scores, size, count, places);
    if (found < 0) {
        result = Py_None;
        Py_INCREF(result);
        goto done;
    }
    result = PyList_New(found);
    for (ptrdiff_t place = 0; result && place < found; place++) {
        PyObject *pair = Py_BuildValue("(nd)", (Py_ssize_t)places[place], (double)scores[places[place]]);
        if (!pair || PyList_SetItem(result, place, pair)) {
            Py_DECREF(result);
            result = NULL;
        }
    }
done:
    PyMem_Free(places);
    PyBuffer_Release(&view);
    return result;
}

static PyMethodDef methods[] = {
    {"best", best, METH_VARARGS, "best(scores, count, /)\n--\n\nIndices and values of the best scores."},
    {"resize", resize, METH_VARARGS,
     "resize(source, size, out, out_size, box, portable=False, /)\n--\n\nPillow's bilinear resize of RGB."},
    {"bilinear", bilinear, METH_VARARGS,
     "bilinear(source, size, each, out, across, down, /)\n--\n\nBilinear resize that reads four pixels for each."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Compiled parts of the device runtime.", 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
