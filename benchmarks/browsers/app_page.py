"""What the app's page tells of itself, as expressions for :class:`benchmarks.browsers.protocol.Tab`."""

SETTLED = "['ready', 'failed'].includes(document.documentElement.dataset.state)"
STATE = "({...document.documentElement.dataset})"
ANSWER = "({...document.querySelector('#answer').dataset})"
REPORT = "JSON.parse(document.querySelector('#report-data').textContent)"
