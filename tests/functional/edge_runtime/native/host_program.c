/* A host for tests: reads jobs from the standard input, writes their results; see core_hosts.py.

   Every band lies in memory of exactly its size, so that a sanitizer sees a byte too far. */

#include "core.h"

#include <stdio.h>
#include <string.h>

static uint8_t *bytes_in(size_t bytes) {
    uint8_t *data = malloc(bytes ? bytes : 1);
    if (!data || fread(data, 1, bytes, stdin) != bytes)
        exit(3);
    return data;
}

static void answer(const void *data, int32_t bytes) {
    fwrite(&bytes, 4, 1, stdout);
    if (data && bytes > 0)
        fwrite(data, 1, (size_t)bytes, stdout);
}

static void resize(const char *line) {
    CoreResize what = {0};
    double left, top, right, bottom;
    int band, done = 0;
    if (sscanf(line, "resize %d %d %lf %lf %lf %lf %d %d %d %d %d %d", &what.in_width, &what.in_height, &left, &top,
               &right, &bottom, &what.out_width, &what.out_height, &what.channels, &what.plain, &what.portable,
               &band) != 12)
        exit(4);
    what.left = (float)left, what.top = (float)top, what.right = (float)right, what.bottom = (float)bottom;
    CoreResizer *resizer = core_resizer_new(&what, NULL);
    if (!resizer) {
        answer(NULL, -1);
        return;
    }
    size_t stride = (size_t)what.in_width * (what.channels == 3 ? 4 : 1);
    for (int row = 0; row < what.in_height; row += band) {
        int count = what.in_height - row < band ? what.in_height - row : band;
        uint8_t *rows = bytes_in(stride * count);
        int now = core_resizer_push(resizer, rows, count);
        if (now < done || now > what.out_height || core_resizer_finished(resizer) != (now == what.out_height))
            exit(5);
        done = now;
        free(rows);
    }
    uint8_t *more = calloc(1, stride);
    int refused = core_resizer_push(resizer, more, 1) == -1 && core_resizer_push(resizer, more, -1) == -1;
    free(more);
    answer(core_resizer_result(resizer),
           refused && core_resizer_finished(resizer) ? what.out_width * what.out_height * what.channels : -2);
    core_resizer_free(resizer);
}

int main(void) {
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        int count, other;
        if (!strncmp(line, "resize", 6)) {
            resize(line);
        } else if (sscanf(line, "pixels %d %d", &count, &other) == 2) {
            uint8_t *rgba = bytes_in(4 * (size_t)count), *out = malloc((size_t)count * other + 1);
            core_pixels(rgba, (size_t)count, other, out);
            answer(out, count * other);
            free(rgba), free(out);
        } else if (sscanf(line, "opaque %d", &count) == 1) {
            uint8_t *rgba = bytes_in(4 * (size_t)count), *out = malloc(4 * (size_t)count + 1);
            out[0] = (uint8_t)core_opaque(rgba, (size_t)count);
            memcpy(out + 1, rgba, 4 * (size_t)count);
            answer(out, 4 * count + 1);
            free(rgba), free(out);
        } else if (sscanf(line, "best %d %d", &count, &other) == 2) {
            float *scores = (float *)bytes_in(4 * (size_t)count);
            ptrdiff_t most = other < count ? other : count, *best = malloc(most * sizeof *best + 1);
            ptrdiff_t found = core_best(scores, count, other, best);
            int32_t *out = malloc(4 * (size_t)most + 1);
            for (ptrdiff_t at = 0; at < found; at++)
                out[at] = (int32_t)best[at];
            answer(out, found < 0 ? -1 : 4 * (int32_t)found);
            free(scores), free(best), free(out);
        } else if (sscanf(line, "sha256 %d %d", &count, &other) == 2) {
            uint8_t digest[32];
            CoreSha256 hash;
            core_sha256_start(&hash);
            for (int at = 0; at < count; at += other) {
                int some = count - at < other ? count - at : other;
                uint8_t *data = bytes_in((size_t)some);
                core_sha256_update(&hash, data, (size_t)some);
                free(data);
            }
            core_sha256_final(&hash, digest);
            answer(digest, 32);
        } else {
            return 6;
        }
    }
    return 0;
}
