package dev.snapship

/** A loaded model: pixels in, one score per class out. */
interface Engine : AutoCloseable {
    val name: String
    val version: String
    val build: String

    fun run(pixels: ByteArray): FloatArray
}

/** One class of an answer. */
class Answer(val label: String, val score: Float)

/** From the bytes of a photo to the best classes. */
class Classifier(val bundle: Bundle, val decoder: Decoder, val engine: Engine) : AutoCloseable by engine {
    fun classify(photo: ByteArray, most: Int = 5): List<Answer> {
        val scores = engine.run(decoder.decode(photo).use { pixelsOf(it, bundle.input) }.values)
        val best = checkNotNull(Core.best(scores, most)) { "A score must be a number. Received: NaN or infinity." }
        return best.map { Answer(bundle.labels[it], scores[it]) }
    }
}
