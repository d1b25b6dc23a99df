/** Hands texts and files to other apps: the system's share sheet, else the clipboard or a download. */

import {t} from './i18n.mjs';
import {toast} from './toast.mjs';

/** In the Android app a WebView shows the page. There is nothing to install or to save for later. */
export const IN_ANDROID_APP = location.hostname.endsWith('.snapship.invalid');

/** Saves a text or a blob as a file; the Android app hands it to the system's share sheet. */
export async function saveFile(name, content, type) {
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
 * Shares a text with a file.
 *
 * @param {{title: string, text: string, file?: File|null}} content
 * @param {() => Promise<void>} otherwise What happens where the browser cannot share.
 */
export async function share({title, text, file = null}, otherwise) {
  const full = {title, text, ...(file ? {files: [file]} : {})};
  const content = navigator.canShare?.(full) ? full : {title, text};
  if (!navigator.share || (file && !content.files && !text)) {
    await otherwise();
    return;
  }
  try {
    await navigator.share(content);
  } catch (error) {
    if (error?.name !== 'AbortError') {
      await otherwise();
    }
  }
}
