/* The native methods of the class dev.snapship.Core, for Android and any other Java virtual machine.

   As Kotlin sees them:

       package dev.snapship
       object Core {
           @JvmStatic external fun open(inWidth: Int, inHeight: Int, left: Float, top: Float, right: Float,
               bottom: Float, outWidth: Int, outHeight: Int, channels: Int, plain: Boolean): Long
           @JvmStatic external fun push(resizer: Long, rows: ByteBuffer, count: Int): Int
           @JvmStatic external fun result(resizer: Long): ByteArray?
           @JvmStatic external fun close(resizer: Long)
           @JvmStatic external fun opaque(rgba: ByteBuffer, count: Int): Int
           @JvmStatic external fun pixels(rgba: ByteBuffer, count: Int, channels: Int): ByteArray?
           @JvmStatic external fun best(scores: FloatArray, count: Int): IntArray?
           @JvmStatic external fun sha256(data: ByteBuffer, count: Int): ByteArray?
       }

   Buffers are direct (ByteBuffer.allocateDirect) and read from their first byte; one that is not, or is too
   short, gives -1 or null, as does an argument that does not fit. `open` gives 0 instead. `push` takes the
   next `count` rows and returns how many rows of the result are finished; once all are, `result` has them.
   `best` gives null where a score is not a finite number. A resizer is used by one thread at a time, and not
   after `close`. */

#include <jni.h>

#include "core.h"

#define CORE(type, name) JNIEXPORT type JNICALL Java_dev_snapship_Core_##name

/* The memory of a direct buffer that has at least so many bytes; else NULL. */
static uint8_t *bytes_of(JNIEnv *env, jobject buffer, int64_t bytes) {
    void *memory = buffer && bytes >= 0 ? (*env)->GetDirectBufferAddress(env, buffer) : NULL;
    return memory && (*env)->GetDirectBufferCapacity(env, buffer) >= bytes ? memory : NULL;
}

static jbyteArray array_of(JNIEnv *env, const uint8_t *bytes, int64_t count) {
    jbyteArray array = count <= INT32_MAX ? (*env)->NewByteArray(env, (jsize)count) : NULL;
    if (array)
        (*env)->SetByteArrayRegion(env, array, 0, (jsize)count, (const jbyte *)bytes);
    return array;
}

CORE(jlong, open)(JNIEnv *env, jclass self, jint in_width, jint in_height, jfloat left, jfloat top, jfloat right,
                  jfloat bottom, jint out_width, jint out_height, jint channels, jboolean plain) {
    CoreResize resize = {in_width, in_height, left, top, right, bottom, out_width, out_height, channels, plain, 0};
    (void)env, (void)self;
    return (jlong)(intptr_t)core_resizer_new(&resize, NULL);
}

CORE(jint, push)(JNIEnv *env, jclass self, jlong handle, jobject rows, jint count) {
    CoreResizer *resizer = (CoreResizer *)(intptr_t)handle;
    (void)self;
    if (!resizer)
        return -1;
    const CoreResize *resize = core_resizer_resize(resizer);
    const uint8_t *bytes = bytes_of(env, rows, (int64_t)count * resize->in_width * (resize->channels == 3 ? 4 : 1));
    return bytes ? core_resizer_push(resizer, bytes, count) : -1;
}

CORE(jbyteArray, result)(JNIEnv *env, jclass self, jlong handle) {
    const CoreResizer *resizer = (CoreResizer *)(intptr_t)handle;
    (void)self;
    if (!resizer || !core_resizer_finished(resizer))
        return NULL;
    const CoreResize *resize = core_resizer_resize(resizer);
    return array_of(env, core_resizer_result(resizer),
                    (int64_t)resize->out_width * resize->out_height * resize->channels);
}

CORE(void, close)(JNIEnv *env, jclass self, jlong handle) {
    (void)env, (void)self;
    core_resizer_free((CoreResizer *)(intptr_t)handle);
}

CORE(jint, opaque)(JNIEnv *env, jclass self, jobject rgba, jint count) {
    uint8_t *bytes = bytes_of(env, rgba, 4 * (int64_t)count);
    (void)self;
    return bytes ? core_opaque(bytes, (size_t)count) : -1;
}

CORE(jbyteArray, pixels)(JNIEnv *env, jclass self, jobject rgba, jint count, jint channels) {
    const uint8_t *bytes = bytes_of(env, rgba, 4 * (int64_t)count);
    (void)self;
    if (!bytes || (channels != 1 && channels != 3))
        return NULL;
    uint8_t *out = malloc((size_t)count * channels + 1);
    if (!out)
        return NULL;
    core_pixels(bytes, (size_t)count, channels, out);
    jbyteArray array = array_of(env, out, (int64_t)count * channels);
    free(out);
    return array;
}

CORE(jintArray, best)(JNIEnv *env, jclass self, jfloatArray scores, jint count) {
    (void)self;
    if (!scores || count < 1)
        return NULL;
    const jsize size = (*env)->GetArrayLength(env, scores), most = count < size ? count : size;
    ptrdiff_t *places = malloc(((size_t)most + 1) * sizeof *places);
    jfloat *values = places ? (*env)->GetFloatArrayElements(env, scores, NULL) : NULL;
    ptrdiff_t found = values ? core_best(values, size, most, places) : -1;
    if (values)
        (*env)->ReleaseFloatArrayElements(env, scores, values, JNI_ABORT);
    jintArray array = found >= 0 ? (*env)->NewIntArray(env, (jsize)found) : NULL;
    for (ptrdiff_t at = 0; array && at < found; at++) {
        const jint place = (jint)places[at];
        (*env)->SetIntArrayRegion(env, array, (jsize)at, 1, &place);
    }
    free(places);
    return array;
}

CORE(jbyteArray, sha256)(JNIEnv *env, jclass self, jobject data, jint count) {
    const uint8_t *bytes = bytes_of(env, data, count);
    uint8_t digest[32];
    CoreSha256 hash;
    (void)self;
    if (!bytes)
        return NULL;
    core_sha256_start(&hash);
    core_sha256_update(&hash, bytes, (size_t)count);
    core_sha256_final(&hash, digest);
    return array_of(env, digest, sizeof digest);
}
