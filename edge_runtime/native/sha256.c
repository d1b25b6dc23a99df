/* SHA-256 (FIPS 180-4): pages on http:// have no crypto.subtle. */

#include "core.h"

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t turned(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static void block(uint32_t state[8], const uint8_t *data) {
    uint32_t words[64], a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int at = 0; at < 16; at++, data += 4)
        words[at] = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    for (int at = 16; at < 64; at++) {
        uint32_t early = words[at - 15], late = words[at - 2];
        words[at] = words[at - 16] + (turned(early, 7) ^ turned(early, 18) ^ early >> 3) + words[at - 7] +
                    (turned(late, 17) ^ turned(late, 19) ^ late >> 10);
    }
    for (int at = 0; at < 64; at++) {
        uint32_t one = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + rounds[at] + words[at];
        uint32_t two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void core_sha256_start(CoreSha256 *hash) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (int at = 0; at < 8; at++)
        hash->state[at] = start[at];
    hash->bytes = 0;
}

void core_sha256_update(CoreSha256 *hash, const uint8_t *data, size_t bytes) {
    size_t filled = hash->bytes % 64;
    hash->bytes += bytes;
    while (bytes > 0) {
        if (filled == 0 && bytes >= 64) {
            block(hash->state, data);
            data += 64, bytes -= 64;
            continue;
        }
        hash->block[filled++] = *data++;
        bytes--;
        if (filled == 64) {
            block(hash->state, hash->block);
            filled = 0;
        }
    }
}

void core_sha256_final(CoreSha256 *hash, uint8_t digest[32]) {
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = hash->bytes * 8;
    uint8_t length[8];
    for (int at = 0; at < 8; at++)
        length[at] = (uint8_t)(bits >> (56 - 8 * at));
    core_sha256_update(hash, padding, 1 + (119 - hash->bytes % 64) % 64);
    core_sha256_update(hash, length, 8);
    for (int at = 0; at < 32; at++)
        digest[at] = (uint8_t)(hash->state[at / 4] >> (24 - 8 * (at % 4)));
}
