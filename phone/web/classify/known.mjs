/** How known an image looks, as `edge_runtime/rules/known_score.py` computes it. */

export const SCORES = ['top'];

export class KnownScorer {
  static of(rule, parameters, classes, size) {
    return new KnownScorer();
  }

  score(scores, extra) {
    return Math.max(...scores);
  }
}
