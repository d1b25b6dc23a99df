// Added to the app by snapship phone --apk. A WebView has no navigator.share and loses downloads of blob:
// addresses; both go to Android's share sheet, through a message port that the app gives to this page alone.
(() => {
  'use strict';

  let connect;
  let port = new Promise((resolve) => {
    connect = resolve;
  });

  addEventListener('message', (event) => {
    if (event.data !== 'snapship-android' || event.ports.length !== 1) return;
    // The app connects after every load of the page; the latest port counts.
    connect(event.ports[0]);
    port = Promise.resolve(event.ports[0]);
  });

  /** The content of a file in base64. */
  const base64 = (file) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(file);
    });

  /** What navigator.share does, for at most one file. */
  const share = async ({files = [], text = '', url = ''} = {}) => {
    const message = {};
    const words = [text, url].filter(Boolean).join('\n');
    if (words) message.text = words;
    const [file] = files;
    if (file) {
      message.name = file.name || 'file';
      message.type = file.type || 'application/octet-stream';
      message.base64 = await base64(file);
    }
    (await port).postMessage(JSON.stringify(message));
  };

  Object.defineProperties(navigator, {
    share: {value: share, configurable: true},
    canShare: {value: ({files = []} = {}) => files.length <= 1, configurable: true},
  });

  /** Shares what a download link points to. */
  const download = async (link) => {
    const blob = await (await fetch(link.href)).blob();
    await share({files: [new File([blob], link.download || 'file', {type: blob.type})]});
  };

  addEventListener('click', (event) => {
    const link = event.target instanceof Element && event.target.closest('a[download]');
    if (!link) return;
    event.preventDefault();
    download(link);
  }, true);

  // A link that is in no document reaches no listener.
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () {
    if (this.hasAttribute('download') && !this.isConnected) download(this);
    else click.call(this);
  };
})();
