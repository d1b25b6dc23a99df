/**
 * When an answer may be believed: the artifact's rules, as `edge_runtime/rules/applying.py` applies them.
 *
 * Thresholds are compared in float64, as there: a score is a float32 that becomes a float64 unchanged.
 */
import {ruleError} from './errors.mjs';
import {KnownScorer, SCORES} from './known.mjs';
import {sizeOf} from './tensors.mjs';

/**
 * What the rules say of one image; null where no rule says anything.
 *
 * @typedef {object} Judged
 * @property {boolean | null} known Whether it looks like what the model was trained on.
 * @property {boolean | null} answered Whether the best class may be taken for the answer.
 * @property {number[] | null} candidates The classes that may be true, best first.
 */

/** The rules of one artifact. */
export class ArtifactRules {
  /**
   * @param {any} rules The manifest's, checked.
   * @param {KnownScorer | null} scorer
   */
  constructor(rules, scorer) {
    this.abstain = rules.abstain ?? null;
    this.sets = rules.sets ?? null;
    this.known = rules.known ?? null;
    this.scorer = scorer;
  }

  /**
   * @param {import('./bundle.mjs').Bundle} bundle
   * @param {Uint8Array | null} parameters The verified file of the rule for known things, if it has one.
   * @returns {ArtifactRules | null} Null for an artifact without rules.
   */
  static of(bundle, parameters) {
    const {rules, outputs} = bundle.artifact;
    if (!rules) return null;
    const {known} = rules;
    if (!known) return new ArtifactRules(rules, null);
    const extra = outputs.find(({name}) => name === known.output);
    const size = extra ? sizeOf(extra.shape) : 0;
    return new ArtifactRules(rules, KnownScorer.of(known, parameters, size));
  }

  /**
   * @param {Float32Array} scores As the model gives them.
   * @param {Float32Array | null} extra The output that the rule for known things reads.
   * @param {number[]} best The best two classes or more, best first.
   * @returns {Judged}
   */
  judged(scores, extra, best) {
    const known =
      this.known && this.scorer ? this.scorer.score(scores, extra) >= this.known.threshold : null;
    const sure = this.abstain && confidence(this.abstain.score, scores, best) >= this.abstain.threshold;
    const answered = known === null && sure === null ? null : known !== false && sure !== false;
    return {known, answered, candidates: this.sets && candidates(scores, this.sets.threshold, best[0])};
  }
}

/** @type {(kind: string, scores: Float32Array, best: number[]) => number} */
function confidence(kind, scores, [first, second]) {
  if (kind === 'top') return scores[first];
  return second === undefined ? 1 - scores[first] : scores[first] - scores[second];
}

/** @type {(scores: Float32Array, threshold: number, first: number) => number[]} */
function candidates(scores, threshold, first) {
  const found = [first];
  scores.forEach((score, index) => {
    if (index !== first && score >= threshold) found.push(index);
  });
  return found.sort((a, b) => scores[b] - scores[a] || a - b);
}

/**
 * Refuses rules that this app would apply wrongly, or not at all.
 *
 * @param {any} artifact The manifest's entry.
 * @param {number} schema The manifest's.
 */
export function checkRules(artifact, schema) {
  const {rules, outputs = []} = artifact;
  if (schema < 2 && (rules || outputs.length))
    throw ruleError('must have schema_version 2 to hold them', schema);
  if (!rules) return;
  if (rules.model_sha256 && rules.model_sha256 !== artifact.sha256) {
    throw ruleError(
      'must be those of its own model file',
      `rules of sha256 ${rules.model_sha256.slice(0, 12)}...`,
    );
  }
  const {abstain = null, sets = null, known = null} = rules;
  if (abstain && !(['top', 'margin'].includes(abstain.score) && Number.isFinite(abstain.threshold))) {
    throw ruleError('must be ones that this app knows', JSON.stringify(abstain));
  }
  if (sets && !Number.isFinite(sets.threshold)) {
    throw ruleError('must be ones that this app knows', JSON.stringify(sets));
  }
  if (!known) return;
  if (!SCORES.includes(known.score) || !Number.isFinite(known.threshold)) {
    throw ruleError('must be ones that this app knows', JSON.stringify(known));
  }
  if (known.output && !outputs.some(({name}) => name === known.output)) {
    throw ruleError('must read an output of the artifact', known.output);
  }
  if (Boolean(known.file) !== Boolean(known.sha256)) {
    throw ruleError('must name a file with its sha256', JSON.stringify(known));
  }
}
