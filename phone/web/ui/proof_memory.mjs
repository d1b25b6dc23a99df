/** Remembers the replay of the golden examples: once per version of the app and of the browser. */

import {readSetting, writeSetting} from './settings.mjs';

/** @returns {Object|null} The report of this version in this browser, if it was replayed before. */
export function rememberedReport(version) {
  const kept = readSetting('proof');
  return kept?.version === version && kept.userAgent === navigator.userAgent ? kept.report : null;
}

/** Keeps a report for the next start. */
export function rememberReport(version, report) {
  writeSetting('proof', {version, userAgent: navigator.userAgent, report});
}

/** @returns {{version: string, stage: string, file: string}|null} Why this version was not taken here. */
export function refusal(version) {
  return refusals().find((one) => one.version === version) ?? null;
}

/** @returns {Array<{version: string, userAgent: string, stage: string, file: string}>} In this browser. */
export function refusals() {
  return (readSetting('refused') ?? []).filter(({userAgent}) => userAgent === navigator.userAgent);
}

/** Remembers that a version was not taken, so that it is not loaded again at each start. */
export function rememberRefusal(version, stage, file) {
  const others = refusals()
    .filter((one) => one.version !== version)
    .slice(-4);
  writeSetting('refused', [...others, {version, stage, file, userAgent: navigator.userAgent}]);
}
