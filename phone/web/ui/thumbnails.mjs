/** Small pictures of photos, for the history and for sharing: drawn again, so without metadata. */

import {canvasIsHonest} from './canvas_probe.mjs';

/**
 * @param {Blob|ImageBitmap|HTMLVideoElement} source
 * @param {number} side The longer side, in pixels, at most.
 * @param {string} [type]
 * @returns {Promise<Blob|null>} Null where the browser cannot draw it.
 */
export async function smallPicture(source, side, type = 'image/jpeg') {
  if (!canvasIsHonest()) {
    return null;
  }
  try {
    const bitmap = await createImageBitmap(source);
    const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await new Promise((resolve) => canvas.toBlob(resolve, type, 0.85));
  } catch {
    return null;
  }
}
