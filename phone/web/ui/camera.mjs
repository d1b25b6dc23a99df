/** The camera: live answers, and a shutter that hands over a still for the exact path. */

import {canvasIsHonest} from './canvas_probe.mjs';
import {byId, setState, state} from './dom.mjs';
import {cameraErrorText} from './error_texts.mjs';
import {t} from './i18n.mjs';
import {toast} from './toast.mjs';

/** A phone that answers faster than this would only warm the hand. */
const FRAME_EVERY_MS = 80;
const STILL_WAIT_MS = 4000;

let stream = null;
let facing = 'environment';
let hooks = null;

/** @returns {boolean} Whether the page may open a camera. */
export function cameraExists() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback(() => resolve());
      setTimeout(resolve, 500);
    } else {
      requestAnimationFrame(() => resolve());
    }
  });
}

/** One frame after the other: the next is taken only when the last has been answered. */
async function answerFrames(own) {
  const video = byId('video');
  while (stream === own) {
    await nextFrame(video);
    if (
      stream !== own ||
      state('camera') !== 'live' ||
      video.readyState < 2 ||
      state('state') !== 'ready'
    ) {
      await new Promise((resolve) => {
        setTimeout(resolve, FRAME_EVERY_MS);
      });
      continue;
    }
    const began = performance.now();
    try {
      const answer = await hooks.classifyFrame(await createImageBitmap(video));
      if (stream === own && state('camera') === 'live') {
        hooks.onLive(answer);
      }
    } catch (error) {
      if (stream === own) {
        closeCamera();
        hooks.onError(error);
      }
      return;
    }
    const left = FRAME_EVERY_MS - (performance.now() - began);
    await new Promise((resolve) => {
      setTimeout(resolve, Math.max(0, left));
    });
  }
}

async function openCamera() {
  setState('camera', 'starting');
  byId('camera-button').disabled = true;
  try {
    const video = {facingMode: {ideal: facing}, width: {ideal: 1280}, height: {ideal: 960}};
    const opened = await navigator.mediaDevices.getUserMedia({video, audio: false});
    stream = opened;
    for (const track of opened.getTracks()) {
      track.addEventListener('ended', () => stream === opened && closeCamera());
    }
    const element = byId('video');
    element.srcObject = opened;
    await element.play();
    const inputs = (await navigator.mediaDevices.enumerateDevices()).filter(
      ({kind}) => kind === 'videoinput',
    );
    byId('camera-switch').style.visibility = inputs.length > 1 ? 'visible' : 'hidden';
    hooks.onOpen();
    element.hidden = false;
    byId('camera-bar').hidden = false;
    setState('camera', 'live');
    byId('shutter').focus({preventScroll: true});
    void answerFrames(opened);
  } catch (error) {
    closeCamera();
    toast(cameraErrorText(error), 'camera');
  } finally {
    byId('camera-button').disabled = false;
  }
}

/** Closes the camera; the light beside the lens goes out. */
export function closeCamera() {
  const open = stream;
  stream = null;
  for (const track of open?.getTracks() ?? []) {
    track.stop();
  }
  const hadFocus = byId('camera-bar').contains(document.activeElement);
  byId('video').srcObject = null;
  byId('video').hidden = true;
  byId('camera-bar').hidden = true;
  setState('camera', 'off');
  if (hadFocus) {
    byId('camera-button').focus({preventScroll: true});
  }
}

async function photoOfCamera() {
  const [track] = stream.getVideoTracks();
  if (globalThis.ImageCapture?.prototype.takePhoto) {
    const late = new Promise((_, reject) => {
      setTimeout(() => reject(new Error('The camera took no photo in time.')), STILL_WAIT_MS);
    });
    try {
      return await Promise.race([new ImageCapture(track).takePhoto(), late]);
    } catch {
      // Some cameras say that they take photos and do not: the frame below is as good a photo.
    }
  }
  const video = byId('video');
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, 'image/png');
  });
}

async function takeStill() {
  if (state('camera') !== 'live') {
    return;
  }
  setState('camera', 'taking');
  try {
    const blob = await photoOfCamera();
    const time = new Date().toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
    const suffix = blob.type === 'image/png' ? 'png' : 'jpg';
    const still = new File([blob], `${time}.${suffix}`, {type: blob.type});
    closeCamera();
    hooks.onStill(still);
  } catch (error) {
    closeCamera();
    toast(cameraErrorText(error), 'camera');
  }
}

/**
 * Wires the camera's buttons.
 *
 * @param {{classifyFrame: function(ImageBitmap): Promise<Object>, onOpen: function(): void,
 *   onLive: function(Object): void, onStill: function(File): void, onClose: function(): void,
 *   onError: function(any): void}} given
 */
export function startCamera(given) {
  hooks = given;
  byId('camera-button').addEventListener('click', () => {
    if (cameraExists() && canvasIsHonest()) {
      void openCamera();
    } else if (matchMedia('(pointer: fine)').matches) {
      toast(t('camera.error.noise'), 'camera_noise');
    } else {
      byId('capture-input').click();
    }
  });
  byId('shutter').addEventListener('click', () => void takeStill());
  byId('camera-close').addEventListener('click', () => {
    closeCamera();
    hooks.onClose();
  });
  byId('camera-switch').addEventListener('click', () => {
    facing = facing === 'environment' ? 'user' : 'environment';
    closeCamera();
    void openCamera();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden && stream) {
      closeCamera();
      hooks.onClose();
    }
  });
}
