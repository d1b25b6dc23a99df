/** Hands texts and files to other apps: the system's share sheet, else the clipboard or a download. */

import {t} from './i18n.mjs';
import {toast} from './toast.mjs';

/** Saves a text or a blob as a file. */
export function saveFile(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], {type}));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Copies a text, and says so. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // http:// pages have no clipboard; the old command still copies a selection.
    const area = document.createElement('textarea');
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    if (!copied) {
      toast(t('share.failed'), 'copy_failed');
      return;
    }
  }
  toast(t('share.copied'), 'copied');
}

/**
 * Shares a text, with a file where the browser shares files of its kind.
 *
 * @param {{title: string, text: string, files?: File[], fileNeeded?: boolean}} content Files: the same one
 *   in several kinds, best first.
 * @param {() => Promise<void>} otherwise What happens where the browser cannot share.
 */
export async function share({title, text, files = [], fileNeeded = false}, otherwise) {
  const file = files.find((one) => navigator.canShare?.({title, text, files: [one]}));
  if (!navigator.share || (fileNeeded && !file)) {
    await otherwise();
    return;
  }
  try {
    await navigator.share({title, text, ...(file ? {files: [file]} : {})});
  } catch (error) {
    if (error?.name !== 'AbortError') {
      await otherwise();
    }
  }
}
