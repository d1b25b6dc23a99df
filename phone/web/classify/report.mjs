/** The phone report: what a replay found, on which phone. `snapship selftest --phone-report` reads it. */

/**
 * @param {import('./classifier.mjs').Classifier} classifier
 * @param {{examples: import('./replay.mjs').Example[], firstTry: object | null}} found
 * @param {{user_agent: string, platform: string, screen: [number, number]}} page What only a page knows.
 * @param {{load: number, replay: number}} ms
 * @returns {object}
 */
export function phoneReport(classifier, found, page, ms) {
  const {app, bundle, decoders} = classifier;
  return {
    schema_version: 1,
    made_by: 'snapship phone',
    created: `${new Date().toISOString().slice(0, 19)}Z`,
    app: {
      name: app.name,
      version: app.version,
      artifact: bundle.artifact.kind,
      artifact_sha256: bundle.artifact.sha256,
      golden_sha256: bundle.golden?.sha256 ?? '',
    },
    device: {
      ...page,
      memory_gb: /** @type {any} */ (navigator).deviceMemory ?? null,
      cores: navigator.hardwareConcurrency ?? null,
      secure_context: globalThis.isSecureContext === true,
    },
    engine: app.engine,
    decoder: decoders.chosen,
    passed: found.examples.length > 0 && found.examples.every(({failed}) => failed === null),
    examples: found.examples,
    first_try: found.firstTry,
    ms: {load: Math.round(ms.load), replay: Math.round(ms.replay)},
  };
}
