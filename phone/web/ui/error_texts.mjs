/** A friendly text for each error code; the technical line stays available. */

import {t} from './i18n.mjs';

const TITLES = {
  not_an_image: 'error.not_an_image.title',
  unsupported_image: 'error.unsupported_image.title',
  too_large: 'error.too_large.title',
  missing_file: 'error.missing_file.title',
  changed_file: 'error.changed_file.title',
  bundle: 'error.bundle.title',
  engine: 'error.engine.title',
  core: 'error.core.title',
  unknown: 'error.unknown.title',
};
const TEXTS = {
  not_an_image: 'error.not_an_image.text',
  unsupported_image: 'error.unsupported_image.text',
  too_large: 'error.too_large.text',
  missing_file: 'error.missing_file.text',
  changed_file: 'error.changed_file.text',
  bundle: 'error.bundle.text',
  engine: 'error.engine.text',
  core: 'error.core.text',
  unknown: 'error.unknown.text',
};

/** Codes with a text. */
export const ERROR_CODES = Object.keys(TITLES);

/** @returns {{code: string, title: string, text: string, detail: string}} */
export function errorTexts(error) {
  const code = TITLES[error?.code] ? error.code : 'unknown';
  return {code, title: t(TITLES[code]), text: t(TEXTS[code]), detail: String(error?.message ?? error)};
}

const CAMERA = {
  NotAllowedError: 'camera.error.denied',
  SecurityError: 'camera.error.denied',
  NotFoundError: 'camera.error.none',
  OverconstrainedError: 'camera.error.none',
  NotReadableError: 'camera.error.busy',
};

/** @returns {string} Why the camera did not open. */
export function cameraErrorText(error) {
  return t(CAMERA[error?.name] ?? 'camera.error.failed');
}
