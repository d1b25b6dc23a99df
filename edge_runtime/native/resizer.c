/* A resizer: checks what it is asked for, then takes a picture in bands of rows. */

#include "core.h"

struct CoreResizer {
    CoreResize resize;
    int seen, done; /* rows of the picture pushed, rows of the result finished */
    CoreResample *resample;
    CoreBilinear *bilinear;
    uint8_t *out, *own;
};

static int is_side(int pixels) { return pixels >= 1 && pixels <= CORE_MAX_SIDE; }

static int lies_in(float start, float end, int size) { return start >= 0 && end <= size && start < end; }

/* Only of numbers that lie in a picture. */
static int is_whole(float number) { return number == (float)(int)number; }

const char *core_resize_problem(const CoreResize *resize) {
    if (!is_side(resize->in_width) || !is_side(resize->in_height) || !is_side(resize->out_width) ||
        !is_side(resize->out_height))
        return "sides must be 1 to 65535 pixels";
    if (resize->channels != 1 && resize->channels != 3)
        return "channels must be 1 or 3";
    if (!lies_in(resize->left, resize->right, resize->in_width) ||
        !lies_in(resize->top, resize->bottom, resize->in_height))
        return "the box must lie in the picture";
    if (resize->plain && !(is_whole(resize->left) && is_whole(resize->right) && is_whole(resize->top) &&
                           is_whole(resize->bottom)))
        return "the box of a plain resize must be whole pixels";
    return NULL;
}

CoreResizer *core_resizer_new(const CoreResize *resize, uint8_t *out) {
    CoreSpan across = {resize->in_width, resize->left, resize->right};
    CoreSpan down = {resize->in_height, resize->top, resize->bottom};
    uint64_t bytes = (uint64_t)resize->out_width * resize->out_height * resize->channels;
    int width = resize->out_width, height = resize->out_height, channels = resize->channels;
    if (core_resize_problem(resize))
        return NULL;
    CoreResizer *resizer = calloc(1, sizeof *resizer);
    if (!resizer)
        return NULL;
    resizer->resize = *resize;
    if (!out && bytes <= PTRDIFF_MAX)
        out = resizer->own = malloc((size_t)bytes);
    resizer->out = out;
    if (out && resize->plain)
        resizer->bilinear = core_bilinear_new(across, down, width, height, channels);
    else if (out)
        resizer->resample = core_resample_new(across, down, width, height, channels, resize->portable);
    if (!resizer->bilinear && !resizer->resample) {
        core_resizer_free(resizer);
        return NULL;
    }
    return resizer;
}

int core_resizer_push(CoreResizer *resizer, const uint8_t *rows, int count) {
    int first = resizer->seen;
    if (count < 0 || count > resizer->resize.in_height - first)
        return -1;
    resizer->seen += count;
    if (resizer->bilinear)
        resizer->done = core_bilinear_push(resizer->bilinear, rows, first, resizer->seen, resizer->done, resizer->out);
    else
        resizer->done = core_resample_push(resizer->resample, rows, first, resizer->seen, resizer->done, resizer->out);
    return resizer->done;
}

const uint8_t *core_resizer_result(const CoreResizer *resizer) { return resizer->out; }

int core_resizer_finished(const CoreResizer *resizer) { return resizer->done == resizer->resize.out_height; }

const CoreResize *core_resizer_resize(const CoreResizer *resizer) { return &resizer->resize; }

void core_resizer_free(CoreResizer *resizer) {
    if (!resizer)
        return;
    core_resample_free(resizer->resample);
    core_bilinear_free(resizer->bilinear);
    free(resizer->own);
    free(resizer);
}
