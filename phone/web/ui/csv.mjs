/** The history as CSV, for spreadsheets. */

const BEST = 5;

/**
 * One field. Quotes as RFC 4180 says; what a spreadsheet would run as a formula starts with an apostrophe.
 *
 * @param {string|number|null|undefined} value
 */
export function csvField(value) {
  const plain = value === null || value === undefined ? '' : String(value);
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @returns {string|null} Candidates as a JSON list of their labels. */
function ruledField(value) {
  return Array.isArray(value) ? JSON.stringify(value.map(({label}) => label)) : (value ?? null)?.toString();
}

/**
 * @param {Array<Object>} entries Of the history, in the order of the rows.
 * @returns {string} With a header, CRLF, and the mark by which Excel knows UTF-8.
 */
export function historyCsv(entries) {
  // As in `snapship predict --format csv`: only where the model has a rule.
  const ruled = ['known', 'answered', 'candidates'].filter((column) =>
    entries.some((entry) => (entry[column] ?? null) !== null),
  );
  const columns = ['time', 'file', 'width', 'height', ...ruled];
  for (let place = 1; place <= BEST; place += 1) {
    columns.push(`label_${place}`, `score_${place}`);
  }
  columns.push('model', 'artifact', 'decoder', 'app_version');
  const rows = entries.map((entry) => {
    const best = Array.from({length: BEST}, (_, place) => entry.best[place]);
    return [
      new Date(entry.time).toISOString(),
      entry.name,
      entry.width,
      entry.height,
      ...ruled.map((column) => ruledField(entry[column])),
      ...best.flatMap((one) => [one?.label, one?.score]),
      entry.model,
      entry.artifact,
      entry.decoder,
      entry.version,
    ];
  });
  return '\ufeff' + [columns, ...rows].map((row) => row.map(csvField).join(',') + '\r\n').join('');
}
