/** The sentence that says how far this device can be trusted, its details, and the report. */

import {byId, element, icon, openDialog, setState} from './dom.mjs';
import {difference, megabytes} from './format.mjs';
import {onLanguage, t, tn} from './i18n.mjs';
import {pictureUrls, reportPage} from './report_page.mjs';
import {copyText, saveFile, share} from './sharing.mjs';

/** The steps that an example is compared in, in this order. */
export const STAGES = ['file', 'decode', 'pixels', 'scores'];
const STAGE_TEXTS = {
  file: 'stage.file',
  decode: 'stage.decode',
  pixels: 'stage.pixels',
  scores: 'stage.scores',
  load: 'stage.load',
};

let report = null;
let progress = null;
let files = null;

/** @returns {string} The name of a step, in the user's language. */
export function stageText(stage) {
  return t(STAGE_TEXTS[stage] ?? 'stage.load');
}

function deviceText() {
  return t(matchMedia('(pointer: coarse)').matches ? 'device.phone' : 'device.computer');
}

/** @returns {'same'|'own'|'differs'} */
export function proofOf({passed, decoder}) {
  if (!passed) {
    return 'differs';
  }
  return decoder === 'own' ? 'own' : 'same';
}

/** @returns {Object|undefined} The first example that differs. */
export function firstFailed({examples}) {
  return examples.find(({failed}) => failed);
}

const SENTENCES = {same: 'proof.same', own: 'proof.own', differs: 'proof.differs'};

/** @returns {string} One sentence about a report. */
export function proofSentence(about) {
  const failed = firstFailed(about);
  return t(SENTENCES[proofOf(about)], {
    device: deviceText(),
    stage: failed ? stageText(failed.failed) : '',
    file: failed ? failed.file.replace(/^golden\//, '') : '',
  });
}

function renderSentence() {
  const button = byId('proof');
  button.disabled = !report || Boolean(progress);
  if (progress) {
    const {stage, done, total} = progress;
    const bytes = {done: megabytes(done).replace(/ MB$/, ''), total: megabytes(total)};
    const texts = {
      wait: () => t('load.wait'),
      save: () => t('load.bytes', bytes),
      load: () => t('load.bytes', bytes),
      start: () => t('load.start'),
      replay: () => t('load.replay', {done, total}),
    };
    byId('proof-sentence').textContent = texts[stage]();
    const bar = byId('load-progress');
    if (total > 0) {
      bar.value = done / total;
    }
    return;
  }
  byId('proof-sentence').textContent = report ? proofSentence(report) : '\u00a0';
}

function stageMarks({failed}) {
  const at = failed ? STAGES.indexOf(failed) : STAGES.length;
  return element(
    'div',
    {className: 'stages'},
    ...STAGES.map((stage, place) => {
      const kind = place < at ? 'ok' : place === at ? 'bad' : 'off';
      const mark = {ok: [icon('check')], bad: [icon('close')], off: []}[kind];
      const spoken = t({ok: 'proof.ok', bad: 'proof.bad', off: 'proof.off'}[kind]);
      return element(
        'span',
        {className: kind, title: spoken},
        ...mark,
        stageText(stage),
        element('span', {className: 'unseen', textContent: `: ${spoken}`}),
      );
    }),
  );
}

function exampleRow(example) {
  const {file, failed, max_abs_dp: dp, tolerance, detail} = example;
  const picture = element('img', {src: files.url(`bundle/${file}`), alt: '', loading: 'lazy'});
  picture.onload = () => picture.classList.toggle('tiny', picture.naturalWidth < 64);
  const scores =
    dp === null || dp === undefined
      ? ''
      : t('proof.dp', {dp: difference(dp), tolerance: difference(tolerance)});
  const row = element(
    'li',
    {data: {file, failed: failed ?? ''}},
    picture,
    element(
      'div',
      {className: 'between'},
      element('b', {textContent: file.replace(/^golden\//, '')}),
      element('span', {className: 'soft dp', textContent: scores}),
    ),
    stageMarks(example),
  );
  if (failed && detail) {
    row.append(element('p', {className: 'detail', textContent: detail}));
  }
  return row;
}

function summary() {
  const same = report.examples.filter(({failed}) => !failed).length;
  const parts = [proofSentence(report), tn('proof.count', report.examples.length, {same})];
  if (report.first_try) {
    parts.push(t('proof.first_try', {n: report.first_try.differing}));
  }
  return parts.join(' ');
}

function renderDetails() {
  if (report) {
    byId('proof-summary').textContent = summary();
    byId('proof-list').replaceChildren(...report.examples.map(exampleRow));
  }
}

function render() {
  renderSentence();
  byId('about-proof').textContent = report ? proofSentence(report) : '';
  renderDetails();
}

/** Shows what is being loaded or replayed: stage wait, save, load, start or replay. */
export function showProgress(stage, done = 0, total = 0) {
  progress = {stage, done, total};
  renderSentence();
}

/** Shows a report, and offers it to tests as JSON in #report-data. */
export function showReport(next) {
  report = next;
  progress = null;
  const failed = firstFailed(report);
  Object.assign(byId('proof').dataset, {
    passed: String(report.passed),
    decoder: report.decoder,
    stage: failed?.failed ?? '',
    file: failed?.file ?? '',
  });
  setState('proof', proofOf(report));
  byId('report-data').textContent = JSON.stringify(report);
  render();
}

function fileName(suffix) {
  const name = report.app.name.replace(/[^\w-]+/g, '-') || 'app';
  return `phone-report-${name}-${report.created.slice(0, 10)}.${suffix}`;
}

const jsonText = () => `${JSON.stringify(report, null, 1)}\n`;

async function shareReport() {
  // Chromium shares texts, but no JSON.
  const kinds = [
    new File([jsonText()], fileName('json'), {type: 'application/json'}),
    new File([jsonText()], fileName('txt'), {type: 'text/plain'}),
  ];
  const content = {title: fileName('json'), text: proofSentence(report), files: kinds, fileNeeded: true};
  await share(content, () => copyText(jsonText()));
}

async function savePage() {
  const pictures = await pictureUrls(
    files,
    report.examples.map((example) => example.file),
  );
  const page = reportPage(report, {
    sentence: proofSentence(report),
    summary: summary(),
    stages: STAGES,
    stageText,
    difference,
    t,
    pictures,
    language: document.documentElement.lang,
  });
  await saveFile(fileName('html'), page, 'text/html');
}

/** @param {Object} given Files of the app. @param {function(): void} again Replays. */
export function startProofView(given, again) {
  files = given;
  const open = () => {
    renderDetails();
    openDialog(byId('proof-dialog'));
  };
  byId('proof').addEventListener('click', open);
  byId('about-proof-open').addEventListener('click', open);
  byId('report-share').addEventListener('click', () => void shareReport());
  byId('report-json').addEventListener(
    'click',
    () => void saveFile(fileName('json'), jsonText(), 'application/json'),
  );
  byId('report-page').addEventListener('click', () => void savePage());
  for (const id of ['replay-button', 'proof-again']) {
    byId(id).addEventListener('click', () => {
      byId('proof-dialog').close();
      again();
    });
  }
  onLanguage(render);
}
