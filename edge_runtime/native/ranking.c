/* The best of a model's scores, best first. */

#include "native.h"

#include <math.h>

/* Moves a score to its place among the `found` best; of equal ones the lower index stays in front. */
static void insert(const float *scores, Py_ssize_t *best, Py_ssize_t found, Py_ssize_t index) {
    while (found > 0 && scores[best[found - 1]] < scores[index]) {
        best[found] = best[found - 1];
        found--;
    }
    best[found] = index;
}

PyObject *snapship_best(PyObject *module, PyObject *args) {
    Py_buffer view;
    Py_ssize_t count;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*n", &view, &count))
        return NULL;
    const float *scores = view.buf;
    Py_ssize_t size = view.len / (Py_ssize_t)sizeof *scores, found = 0;
    PyObject *result = NULL;
    Py_ssize_t *best = NULL;
    if (view.itemsize != (Py_ssize_t)sizeof *scores || count < 1) {
        PyErr_SetString(PyExc_ValueError, "scores must be float32, and count at least 1");
        goto done;
    }
    count = count < size ? count : size;
    best = PyMem_Malloc((size_t)(count + 1) * sizeof *best);
    if (!best) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t index = 0; index < size; index++) {
        if (!isfinite(scores[index])) {
            result = Py_None;
            Py_INCREF(result);
            goto done;
        }
        if (found < count)
            insert(scores, best, found++, index);
        else if (count && scores[best[count - 1]] < scores[index])
            insert(scores, best, count - 1, index);
    }
    result = PyList_New(found);
    for (Py_ssize_t place = 0; result && place < found; place++) {
        PyObject *pair = Py_BuildValue("(nd)", best[place], (double)scores[best[place]]);
        if (!pair || PyList_SetItem(result, place, pair)) {
            Py_DECREF(result);
            result = NULL;
        }
    }
done:
    PyMem_Free(best);
    PyBuffer_Release(&view);
    return result;
}
