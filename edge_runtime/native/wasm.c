/* core.wasm: the core for browsers and anything else that runs WebAssembly. It imports nothing.

   Built by `make wasm` for wasm32 without a C library, hence the memory below. Handles and pointers are
   addresses in the exported memory; what they point to is the caller's business, everything else is checked.
   The memory may grow with every call that allocates: take views of `memory.buffer` anew afterwards. */

#include "core.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536

/* Free memory: a list in the order of addresses, neighbours joined, so that the same work again finds the same
   blocks and thousands of photos do not let it grow. */
typedef struct Block {
    size_t bytes; /* with this head */
    struct Block *next;
} Block;

extern uint8_t __heap_base;
static Block *unused;
static uint8_t *end;

static void give(Block *block) {
    Block **place = &unused, *before = NULL;
    while (*place && *place < block) {
        before = *place;
        place = &before->next;
    }
    block->next = *place;
    *place = block;
    if (block->next == (Block *)((uint8_t *)block + block->bytes)) {
        block->bytes += block->next->bytes;
        block->next = block->next->next;
    }
    if (before && block == (Block *)((uint8_t *)before + before->bytes)) {
        before->bytes += block->bytes;
        before->next = block->next;
    }
}

/* At least so many bytes more at the end of memory; 0 if there are none. */
static int grown(size_t bytes) {
    if (!end)
        end = &__heap_base + (-(size_t)&__heap_base & 15);
    size_t have = (size_t)__builtin_wasm_memory_size(0) * PAGE - (size_t)end;
    if (have < bytes) {
        size_t pages = (bytes - have + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1)
            return 0;
        have += pages * PAGE;
    }
    Block *block = (Block *)end;
    block->bytes = have;
    end += have;
    give(block);
    return 1;
}

void *malloc(size_t bytes) {
    if (bytes > 0x7fff0000)
        return NULL;
    bytes = (bytes + sizeof(Block) + 15) & ~(size_t)15;
    for (int attempt = 0; attempt < 2; attempt++) {
        for (Block **place = &unused; *place; place = &(*place)->next) {
            Block *block = *place;
            if (block->bytes < bytes)
                continue;
            if (block->bytes > bytes) {
                Block *rest = (Block *)((uint8_t *)block + bytes);
                rest->bytes = block->bytes - bytes;
                rest->next = block->next;
                block->bytes = bytes;
                *place = rest;
            } else {
                *place = block->next;
            }
            return block + 1;
        }
        if (!grown(bytes))
            return NULL;
    }
    return NULL;
}

void free(void *block) {
    if (block)
        give((Block *)block - 1);
}

__attribute__((no_builtin("memset"))) void *memset(void *to, int value, size_t bytes) {
    uint8_t *out = to;
    while (bytes--)
        *out++ = (uint8_t)value;
    return to;
}

__attribute__((no_builtin("memcpy"))) void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    uint8_t *out = to;
    const uint8_t *in = from;
    while (bytes--)
        *out++ = *in++;
    return to;
}

void *calloc(size_t count, size_t bytes) {
    if ((uint64_t)count * bytes > 0x7fff0000)
        return NULL;
    void *block = malloc(count * bytes);
    return block ? memset(block, 0, count * bytes) : NULL;
}

EXPORT(core_alloc) void *wasm_alloc(size_t bytes) { return malloc(bytes); }

EXPORT(core_free) void wasm_free(void *block) { free(block); }

EXPORT(core_resizer_new)
CoreResizer *wasm_resizer_new(int in_width, int in_height, float left, float top, float right, float bottom,
                              int out_width, int out_height, int channels, int plain) {
    CoreResize resize = {in_width, in_height, left, top, right, bottom, out_width, out_height, channels, plain, 0};
    return core_resizer_new(&resize, NULL);
}

EXPORT(core_resizer_push) int wasm_resizer_push(CoreResizer *resizer, const uint8_t *rows, int count) {
    return resizer && rows ? core_resizer_push(resizer, rows, count) : -1;
}

EXPORT(core_resizer_result) const uint8_t *wasm_resizer_result(const CoreResizer *resizer) {
    return resizer ? core_resizer_result(resizer) : NULL;
}

EXPORT(core_resizer_free) void wasm_resizer_free(CoreResizer *resizer) { core_resizer_free(resizer); }

/* 0, or -1 for another number of channels. */
EXPORT(core_pixels) int wasm_pixels(const uint8_t *rgba, size_t count, int channels, uint8_t *out) {
    if (!rgba || !out || (channels != 1 && channels != 3))
        return -1;
    core_pixels(rgba, count, channels, out);
    return 0;
}

EXPORT(core_opaque) int wasm_opaque(uint8_t *rgba, size_t count) { return rgba ? core_opaque(rgba, count) : 0; }

EXPORT(core_sha256_new) CoreSha256 *wasm_sha256_new(void) {
    CoreSha256 *hash = malloc(sizeof *hash);
    if (hash)
        core_sha256_start(hash);
    return hash;
}

EXPORT(core_sha256_update) void wasm_sha256_update(CoreSha256 *hash, const uint8_t *data, size_t bytes) {
    if (hash && data)
        core_sha256_update(hash, data, bytes);
}

/* Frees the handle. */
EXPORT(core_sha256_final) void wasm_sha256_final(CoreSha256 *hash, uint8_t *digest) {
    if (hash && digest)
        core_sha256_final(hash, digest);
    free(hash);
}

/* -1 also for a count below 1, and where nothing can be read or written. */
EXPORT(core_best) int wasm_best(const float *scores, int size, int count, ptrdiff_t *best) {
    return scores && best && size >= 0 && count >= 1 ? core_best(scores, size, count, best) : -1;
}

/* Which compiler made this file: another version may make another one, of the same pixels. */
__asm__(".section .custom_section.compiler,\"\",@\n.ascii \"clang " __clang_version__ "\"\n");
