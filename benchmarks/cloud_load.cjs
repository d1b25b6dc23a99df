// Loads a server with autocannon and prints what it counted as one line of JSON.
// node cloud_load.cjs FOLDER_OF_NODE_MODULES URL SECONDS CONNECTIONS CONTENT_TYPE IMAGE...
const fs = require("node:fs");
const [modules, url, seconds, connections, type, ...images] = process.argv.slice(2);
const autocannon = require(require.resolve("autocannon", { paths: [modules] }));

autocannon({
  url,
  duration: Number(seconds),
  connections: Number(connections),
  method: "POST",
  headers: { "content-type": type },
  // Each connection sends them in turn.
  requests: images.map((image) => ({ body: fs.readFileSync(image) })),
}).then((found) => {
  console.log(JSON.stringify({
    answers: found["2xx"],
    refusals: found.non2xx,
    errors: found.errors,
    timeouts: found.timeouts,
    seconds: found.duration,
    p50_ms: found.latency.p50,
    p99_ms: found.latency.p99,
    most_ms: found.latency.max,
  }));
});
