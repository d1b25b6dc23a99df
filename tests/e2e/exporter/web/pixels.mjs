// An image as the pixels that a model takes: RGB, row by row, 0..255, as they are.
export async function pixels(url, {height, width, dtype}) {
  const blob = await (await fetch(url)).blob();
  const image = await createImageBitmap(blob, {colorSpaceConversion: 'none'});
  const canvas = new OffscreenCanvas(width, height).getContext('2d');
  canvas.imageSmoothingQuality = 'high';
  canvas.drawImage(image, 0, 0, width, height);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  const rgb = rgba.filter((_, index) => index % 4 !== 3);
  return dtype === 'uint8' ? new Uint8Array(rgb) : Float32Array.from(rgb);
}
