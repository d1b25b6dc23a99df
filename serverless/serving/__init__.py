"""``snapship serve``: what stands between a network and the app on one's own machine.

In the cloud AWS's front door holds slow, many and endless clients off; here this
package does, around uvicorn::

    limits.py      the numbers, checked
    listening.py   the address
    crowd.py       who may be connected: an idle one makes way, else HTTP 503
    connection.py  uvicorn's protocol with a deadline for the headers, and plain refusals
    gate.py        around the app: size of the headers, deadline and memory of the bodies
    lingering.py   closes so that the client still reads the answer that refused it
    answers.py     problem details of what never reaches the app
    errors.py      those of a request that is refused while it arrives
    following.py   the bundle that is there now, when another one comes
    server.py      starts uvicorn with all that, and ends on SIGTERM
"""

__all__: list[str] = []
