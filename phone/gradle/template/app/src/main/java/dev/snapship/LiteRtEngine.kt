package dev.snapship

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

/** LiteRT on the CPU, with one thread: neither a GPU nor the number of cores changes the scores. */
class LiteRtEngine(bundle: Bundle, override val version: String) : Engine {
    override val name = "litert-android"
    override val build = "cpu"

    private val floats = bundle.takesFloats
    private val interpreter = Interpreter(direct(bundle.model()), Interpreter.Options().setNumThreads(1))
    private val scores = Array(1) { FloatArray(bundle.labels.size) }
    private val input = with(bundle.input) {
        ByteBuffer.allocateDirect(width * height * channels * if (floats) 4 else 1).order(ByteOrder.nativeOrder())
    }

    init {
        val shape = interpreter.getInputTensor(0).shape().toList()
        val expected = with(bundle.input) { listOf(1, height, width, channels) }
        check(shape == expected) { "A model's input must match the manifest. Received: $shape, expected $expected." }
    }

    override fun run(pixels: ByteArray): FloatArray {
        input.clear()
        if (floats) pixels.forEach { input.putFloat((it.toInt() and 0xff).toFloat()) } else input.put(pixels)
        input.rewind()
        interpreter.run(input, scores)
        return scores[0].copyOf()
    }

    override fun close() = interpreter.close()

    private fun direct(bytes: ByteArray): ByteBuffer =
        ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { rewind() }
}
