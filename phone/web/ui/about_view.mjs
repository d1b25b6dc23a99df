/** The page about the model and the app. */

import {byId, element, fillList, openDialog} from './dom.mjs';
import {megabytes, number, percent} from './format.mjs';
import {changeLanguage, currentLanguage, LANGUAGES, onLanguage, t, tn} from './i18n.mjs';

let model = null;

function qualityText({metrics}) {
  if (!metrics || typeof metrics.top1 !== 'number') {
    return t('about.no_metrics');
  }
  const right = tn('about.top1', metrics.n, {top1: percent(metrics.top1, 1)});
  const same =
    typeof metrics.agreement === 'number'
      ? ` ${t('about.agreement', {agreement: percent(metrics.agreement, 1)})}`
      : '';
  return right + same;
}

/** A share that somebody chose: without decimals if it is a whole number of percent. */
function chosen(share) {
  const points = share * 100;
  return percent(share, Math.abs(points - Math.round(points)) < 1e-6 ? 0 : 1);
}

/** What each rule promises, and from how many photos: the manifest's numbers. */
function rulesTexts({images, confidence = 0.95, abstain, sets, known}) {
  const texts = [];
  if (abstain) {
    const {max_error: error, answered, errors} = abstain;
    texts.push(
      `${t('about.rule_abstain', {error: chosen(error), confidence: chosen(confidence)})} ` +
        tn('about.rule_abstain_of', answered, {errors: number(errors)}),
    );
  }
  if (sets) {
    texts.push(t('about.rule_sets', {coverage: chosen(sets.coverage)}));
  }
  if (known) {
    texts.push(t('about.rule_known', {kept: chosen(known.kept)}));
  }
  return [...texts, tn('about.rule_images', images)];
}

function render() {
  if (!model) {
    return;
  }
  const {app, name, labels, input, artifact, engine, decoder} = model;
  byId('about-quality').textContent = qualityText(artifact);
  byId('rules-card').hidden = !artifact.rules;
  byId('about-rules').replaceChildren(
    ...(artifact.rules ? rulesTexts(artifact.rules) : []).map((textContent) => element('p', {textContent})),
  );
  fillList(byId('about-model'), [
    [t('about.name'), name],
    [t('about.classes'), number(labels.length)],
    [t('about.artifact'), artifact.kind],
    [t('about.size'), megabytes(artifact.bytes, artifact.bytes < 1e6 ? 2 : 1)],
    [t('about.input'), `${input.width} × ${input.height} × ${input.channels}`],
    ['SHA-256', `${artifact.sha256.slice(0, 12)}…`],
  ]);
  fillList(byId('about-app'), [
    [t('about.version'), app.version.slice(0, 12)],
    [t('about.made_by'), app.made_by],
    [t('about.engine'), `${engine.name} ${engine.version} (${engine.build})`],
    [t('about.decoder'), t(decoder === 'own' ? 'about.decoder_own' : 'about.decoder_browser')],
  ]);
}

/** In a dialog: an installed app has no way back from another page. */
async function showLicences(files) {
  byId('licences-text').textContent = new TextDecoder().decode(await files.bytes('LICENSES.txt'));
  openDialog(byId('licences-dialog'));
}

/** @param {Object} opened What client.open returned, with the decoder in use. */
export function showModel(opened) {
  model = opened;
  render();
}

/** Wires the choice of the language. */
export function startAbout(files) {
  byId('licences').addEventListener('click', () => void showLicences(files));
  const select = byId('language');
  select.replaceChildren(
    ...Object.entries(LANGUAGES).map(([value, text]) =>
      element('option', {value, textContent: text, lang: value}),
    ),
  );
  select.value = currentLanguage();
  select.addEventListener('change', () => void changeLanguage(files, select.value));
  onLanguage(render);
}
