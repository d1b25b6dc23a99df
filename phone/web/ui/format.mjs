/** Numbers and dates as people of the chosen language read them. */

import {currentLanguage} from './i18n.mjs';

/**
 * @param {number} share From 0 to 1.
 * @param {number} [digits]
 */
export function percent(share, digits = share < 0.1 ? 1 : 0) {
  if (share > 0 && share < 0.0005) {
    return `< ${percent(0.001)}`;
  }
  if (share < 1 && share >= 0.995 && digits === 0) {
    return `> ${percent(0.99)}`;
  }
  const style = {style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits};
  return new Intl.NumberFormat(currentLanguage(), style).format(share);
}

/** @param {number} bytes @returns {string} Such as 9.3 MB. */
export function megabytes(bytes, digits = 1) {
  const style = {minimumFractionDigits: digits, maximumFractionDigits: digits};
  return `${new Intl.NumberFormat(currentLanguage(), style).format(bytes / 1e6)} MB`;
}

/** @param {number} value @returns {string} */
export function number(value) {
  return new Intl.NumberFormat(currentLanguage()).format(value);
}

/** @param {number} value A difference of probabilities. @returns {string} Such as 3.6 × 10⁻⁷. */
export function difference(value) {
  if (value === 0 || value >= 0.001) {
    return number(Math.round(value * 1e4) / 1e4);
  }
  const [digits, power] = value.toExponential(1).split('e-');
  const raised = [...power].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]).join('');
  return `${number(Number(digits))} × 10⁻${raised}`;
}

/** @param {number} time Milliseconds since 1970. */
export function dateTime(time) {
  const year = new Date(time).getFullYear() === new Date().getFullYear() ? {} : {year: 'numeric'};
  const style = {day: 'numeric', month: 'short', ...year, hour: 'numeric', minute: '2-digit'};
  return new Intl.DateTimeFormat(currentLanguage(), style).format(time);
}

/** @param {string} label @returns {string} A class name to read: underscores become spaces. */
export function className(label) {
  return label.replaceAll('_', ' ');
}
