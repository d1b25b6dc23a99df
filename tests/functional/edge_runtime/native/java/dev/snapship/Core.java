package dev.snapship;

import java.nio.ByteBuffer;

/** The native methods of edge_runtime/native/jni.c, which describes them. */
public final class Core {
    private Core() {}

    public static native long open(
            int inWidth, int inHeight, float left, float top, float right, float bottom,
            int outWidth, int outHeight, int channels, boolean plain);

    public static native int push(long resizer, ByteBuffer rows, int count);

    public static native byte[] result(long resizer);

    public static native void close(long resizer);

    public static native int opaque(ByteBuffer rgba, int count);

    public static native byte[] pixels(ByteBuffer rgba, int count, int channels);

    public static native int[] best(float[] scores, int count);

    public static native byte[] sha256(ByteBuffer data, int count);
}
