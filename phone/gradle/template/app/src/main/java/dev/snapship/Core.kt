package dev.snapship

import java.nio.ByteBuffer

/** The native methods of jni.c, which describes them: the same C as on the computer. */
object Core {
    init {
        System.loadLibrary("snapship")
    }

    @JvmStatic
    external fun open(
        inWidth: Int, inHeight: Int, left: Float, top: Float, right: Float, bottom: Float,
        outWidth: Int, outHeight: Int, channels: Int, plain: Boolean,
    ): Long

    @JvmStatic
    external fun push(resizer: Long, rows: ByteBuffer, count: Int): Int

    @JvmStatic
    external fun result(resizer: Long): ByteArray?

    @JvmStatic
    external fun close(resizer: Long)

    @JvmStatic
    external fun opaque(rgba: ByteBuffer, count: Int): Int

    @JvmStatic
    external fun pixels(rgba: ByteBuffer, count: Int, channels: Int): ByteArray?

    @JvmStatic
    external fun best(scores: FloatArray, count: Int): IntArray?

    @JvmStatic
    external fun sha256(data: ByteBuffer, count: Int): ByteArray?
}
