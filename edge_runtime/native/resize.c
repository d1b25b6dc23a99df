/* What Python hands to the resize, checked before anything reads it. */

#include "native.h"

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

const uint8_t *snapship_pixels(PyObject *source, int64_t pixels, int each, Py_buffer *view) {
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

static int is_side(int pixels) { return pixels >= 1 && pixels <= MAX_SIDE; }

PyObject *snapship_resize(PyObject *module, PyObject *args) {
    PyObject *source;
    Py_buffer in = {0}, out = {0};
    Span across = {0}, down = {0};
    int width, height, plain = 0, failed = -1;
    const uint8_t *bytes = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "O(ii)w*(ii)(ffff)|p", &source, &across.size, &down.size, &out, &width, &height,
                          &across.start, &down.start, &across.end, &down.end, &plain))
        return NULL;
    if (!is_side(width) || !is_side(height) || !is_side(across.size) || !is_side(down.size)) {
        PyErr_SetString(PyExc_ValueError, "sides must be 1 to 65535 pixels");
    } else if (!(across.start >= 0 && across.end <= across.size && across.start < across.end && down.start >= 0 &&
                 down.end <= down.size && down.start < down.end)) {
        PyErr_SetString(PyExc_ValueError, "the box must lie in the picture");
    } else if ((int64_t)out.len != (int64_t)3 * width * height) {
        PyErr_SetString(PyExc_ValueError, "the result must have three bytes for each pixel");
    } else {
        bytes = snapship_pixels(source, (int64_t)across.size * down.size, 4, &in);
    }
    if (bytes) {
        PyThreadState *state = PyEval_SaveThread();
        failed = snapship_resample(bytes, across, down, out.buf, width, height, plain);
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
