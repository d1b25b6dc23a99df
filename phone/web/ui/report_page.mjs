/** The phone report as one HTML page that needs no other file. */

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 760px; margin: 32px auto; padding: 0 20px; }
h1 { font-size: 1.5rem; line-height: 1.3; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: 8px 10px 8px 0; border-bottom: 1px solid #8885; vertical-align: top; }
img { width: 56px; height: 56px; object-fit: cover; border-radius: 8px; }
.bad { font-weight: 700; color: #c0392b; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 20px; font-size: .92rem; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
`;

/** @param {any} value @returns {string} Text that HTML shows as it is. */
export function escapeHtml(value) {
  const named = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};
  return String(value).replace(/[&<>"']/g, (sign) => named[sign]);
}

/** @returns {Promise<Object<string, string>>} The golden images as data URLs, without unreadable ones. */
export async function pictureUrls(files, names) {
  const found = {};
  for (const name of names) {
    try {
      const blob = new Blob([await files.bytes(`bundle/${name}`)]);
      const bitmap = await createImageBitmap(blob);
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 112;
      const side = Math.min(bitmap.width, bitmap.height);
      canvas
        .getContext('2d')
        .drawImage(
          bitmap,
          (bitmap.width - side) / 2,
          (bitmap.height - side) / 2,
          side,
          side,
          0,
          0,
          112,
          112,
        );
      found[name] = canvas.toDataURL('image/jpeg', 0.8);
    } catch {
      // The report counts; a picture is an ornament.
    }
  }
  return found;
}

/**
 * @param {Object} report
 * @param {{sentence: string, summary: string, stages: string[], stageText: function(string): string,
 *   difference: function(number): string, t: function(string): string, pictures: Object<string, string>,
 *   language: string}} shown
 * @returns {string} HTML.
 */
export function reportPage(
  report,
  {sentence, summary, stages, stageText, difference, t, pictures, language},
) {
  const cell = (text, kind = '') => `<td${kind ? ` class="${kind}"` : ''}>${escapeHtml(text)}</td>`;
  const rows = report.examples.map((example) => {
    const at = example.failed ? stages.indexOf(example.failed) : stages.length;
    const marks = stages.map((_, place) =>
      place < at ? cell('✓') : place === at ? cell('✗', 'bad') : cell('–'),
    );
    const dp = typeof example.max_abs_dp === 'number' ? difference(example.max_abs_dp) : '–';
    const picture = pictures[example.file] ? `<img alt="" src="${pictures[example.file]}">` : '';
    return (
      `<tr><td>${picture}</td>${cell(example.file)}${marks.join('')}` +
      `${cell(dp)}${cell(difference(example.tolerance))}</tr>` +
      (example.failed && example.detail
        ? `<tr><td></td><td colspan="7">${escapeHtml(example.detail)}</td></tr>`
        : '')
    );
  });
  const facts = [
    ['app', `${report.app.name} (${report.app.artifact})`],
    ['version', report.app.version],
    ['artifact sha256', report.app.artifact_sha256],
    ['golden sha256', report.app.golden_sha256],
    ['engine', `${report.engine.name} ${report.engine.version} (${report.engine.build})`],
    ['decoder', report.decoder],
    ['browser', report.device.user_agent],
    ['screen', (report.device.screen ?? []).join(' × ')],
    ['created', report.created],
  ];
  const heads = [
    '',
    t('proof.image'),
    ...stages.map(stageText),
    t('proof.difference'),
    t('proof.tolerance'),
  ];
  const head = (text) => `<th scope="col">${escapeHtml(text)}</th>`;
  const data = JSON.stringify(report).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="${escapeHtml(language)}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(sentence)}</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(sentence)}</h1><p>${escapeHtml(summary)}</p>
<table><thead><tr>${heads.map(head).join('')}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table>
<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>
<script type="application/json" id="report">${data}</script></body></html>
`;
}
