/* On the chip: the header's labels, size and hash, and the pixels that the core makes of a picture in flash.
   Valid C99, C11 and C++11. */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "core.h"
void say(const char *text);
#ifdef __cplusplus
}
#endif

#include "digits_int8.h"
#include "pictures.h" /* made by the test */

static void say_hash(const char *what, const uint8_t *data, size_t bytes) {
    CoreSha256 hash;
    uint8_t digest[32];
    char text[66] = {0};
    core_sha256_start(&hash);
    core_sha256_update(&hash, data, bytes);
    core_sha256_final(&hash, digest);
    for (int i = 0; i < 32; ++i) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    text[64] = '\n';
    say(what);
    say(text);
}

static int say_pixels(const char *what, const Picture *picture) {
    const CoreResize resize = {picture->width, picture->height, 0.0f, 0.0f, (float)picture->width,
                               (float)picture->height, DIGITS_WIDTH, DIGITS_HEIGHT, picture->channels,
                               picture->plain, 0};
    CoreResizer *resizer = core_resizer_new(&resize, 0);
    const int row = picture->width * (picture->channels == 3 ? 4 : 1);
    if (!resizer) return 1;
    /* A row at a time, as a camera gives them. */
    for (int y = 0; y < picture->height; ++y)
        if (core_resizer_push(resizer, picture->rows + (size_t)y * row, 1) < 0) return 2;
    say_hash(what, core_resizer_result(resizer), (size_t)DIGITS_WIDTH * DIGITS_HEIGHT * picture->channels);
    core_resizer_free(resizer);
    return 0;
}

int main(void) {
    for (int i = 0; i < DIGITS_CLASSES; ++i) {
        say("label ");
        say(digits_labels[i]);
        say("\n");
    }
    if ((uintptr_t)digits_int8_tflite % 16 != 0) return 3;
    say_hash("model ", digits_int8_tflite, digits_int8_tflite_len);
    for (unsigned i = 0; i < sizeof pictures / sizeof pictures[0]; ++i) {
        const int failed = say_pixels("pixels ", &pictures[i]);
        if (failed) return failed;
    }
    return 0;
}
