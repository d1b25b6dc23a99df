/* Pixels as a browser or Android hands them over, RGBA with straight alpha, to those of a model. */

#include "core.h"

#define RUN 64 /* pixels looked at together */

/* Pillow's Image.alpha_composite on opaque white: 7 more bits of precision, divided by 255 with rounding. */
static inline uint8_t on_white(uint32_t value, uint32_t alpha) {
    uint32_t sum = (value * alpha + 255 * (255 - alpha)) * 128 + (128 << 7);
    return (uint8_t)(((sum >> 8) + sum) >> 8 >> 7);
}

static int all_opaque(const uint8_t *rgba, size_t count) {
    uint8_t alpha = 255;
    for (size_t at = 0; at < count; at++)
        alpha &= rgba[4 * at + 3];
    return alpha == 255;
}

int core_opaque(uint8_t *rgba, size_t count) {
    int transparent = 0;
    for (size_t start = 0; start < count; start += RUN) {
        size_t some = count - start < RUN ? count - start : RUN;
        uint8_t *run = rgba + 4 * start;
        if (all_opaque(run, some))
            continue;
        transparent = 1;
        for (size_t at = 0; at < some; at++, run += 4) {
            for (int channel = 0; channel < 3; channel++)
                run[channel] = on_white(run[channel], run[3]);
            run[3] = 255;
        }
    }
    return transparent;
}

void core_pixels(const uint8_t *rgba, size_t count, int channels, uint8_t *out) {
    for (size_t at = 0; at < count; at++, rgba += 4) {
        uint32_t red = rgba[0], green = rgba[1], blue = rgba[2], alpha = rgba[3];
        if (alpha != 255) {
            red = on_white(red, alpha);
            green = on_white(green, alpha);
            blue = on_white(blue, alpha);
        }
        if (channels == 1) {
            *out++ = (uint8_t)((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
            continue;
        }
        *out++ = (uint8_t)red;
        *out++ = (uint8_t)green;
        *out++ = (uint8_t)blue;
    }
}
