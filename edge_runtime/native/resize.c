/* What Python hands to the resize, checked before anything reads it. */

#include "native.h"

#define MAX_SIDE 65535

/* The Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html */
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

/* The bytes of a picture that Pillow exports as an Arrow list of four bytes a pixel; NULL if they are not. */
static const uint8_t *arrow_bytes(PyObject *capsule, int64_t pixels) {
    const struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array && array->length == pixels && array->offset == 0 && array->n_children == 1) {
        const struct ArrowArray *bytes = array->children[0];
        if (bytes->length == 4 * pixels && bytes->offset == 0 && bytes->n_buffers == 2 && bytes->buffers[1])
            return bytes->buffers[1];
    }
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the Arrow array is not four bytes for each pixel");
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
    } else if (PyCapsule_IsValid(source, "arrow_array")) {
        bytes = arrow_bytes(source, (int64_t)across.size * down.size);
    } else if (PyObject_GetBuffer(source, &in, PyBUF_SIMPLE) == 0) {
        if ((int64_t)in.len == (int64_t)4 * across.size * down.size)
            bytes = in.buf;
        else
            PyErr_SetString(PyExc_ValueError, "the picture must have four bytes for each pixel");
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
