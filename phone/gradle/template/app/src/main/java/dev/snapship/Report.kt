package dev.snapship

import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import org.json.JSONArray
import org.json.JSONObject

/** What the app knows of itself and of the phone; nothing that identifies its owner. */
class About(
    val appVersion: String, val userAgent: String, val platform: String, val screen: Pair<Int, Int>,
    val memoryGb: Double, val cores: Int,
)

/** The phone report, which `snapship selftest --phone-report` reads; its "browser" is the system's decoder here. */
fun report(classifier: Classifier, about: About, replayed: List<Replayed>, loadMs: Long, replayMs: Long): JSONObject {
    val (bundle, engine) = classifier.bundle to classifier.engine
    val created = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT)
    created.timeZone = TimeZone.getTimeZone("UTC")
    val examples = replayed.map {
        JSONObject()
            .put("file", it.file)
            .put("failed", it.failed ?: JSONObject.NULL)
            .put("max_abs_dp", it.maxAbsDp ?: JSONObject.NULL)
            .put("tolerance", it.tolerance)
            .put("detail", it.detail)
    }
    return JSONObject()
        .put("schema_version", 1)
        .put("made_by", "snapship phone")
        .put("created", created.format(Date()))
        .put(
            "app",
            JSONObject()
                .put("name", bundle.name)
                .put("version", about.appVersion)
                .put("artifact", bundle.kind)
                .put("artifact_sha256", bundle.modelSha256)
                .put("golden_sha256", bundle.goldenSha256),
        )
        .put(
            "device",
            JSONObject()
                .put("user_agent", about.userAgent)
                .put("platform", about.platform)
                .put("screen", JSONArray(listOf(about.screen.first, about.screen.second)))
                .put("memory_gb", about.memoryGb)
                .put("cores", about.cores)
                .put("secure_context", true),
        )
        .put(
            "engine",
            JSONObject().put("name", engine.name).put("version", engine.version).put("build", engine.build),
        )
        .put("decoder", "browser")
        .put("passed", replayed.isNotEmpty() && replayed.all { it.failed == null })
        .put("examples", JSONArray(examples))
        .put("first_try", JSONObject.NULL)
        .put("ms", JSONObject().put("load", loadMs).put("replay", replayMs))
}
