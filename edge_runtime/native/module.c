/* edge_runtime._native: what runs once for every image, and would run slower in Python. See _native.pyi. */

#include "native.h"

static PyMethodDef methods[] = {
    {"best", snapship_best, METH_VARARGS, "best(scores, count, /)\n--\n\nIndices and values of the best scores."},
    {"resize", snapship_resize, METH_VARARGS,
     "resize(source, size, out, out_size, box, plain=False, /)\n--\n\nPillow's bilinear resize of RGB."},
    {"bilinear", snapship_bilinear, METH_VARARGS,
     "bilinear(source, size, each, out, across, down, /)\n--\n\nBilinear resize that reads four pixels for each."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Compiled parts of the device runtime.", 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
