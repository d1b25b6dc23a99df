"""``snapship serve``: protects the app from the network on a local machine.

In the cloud AWS's front end fends off slow, excessive and endless clients; here this package
does, around uvicorn::

    limits.py      the limits, checked
    listening.py   the address
    crowd.py       limits connections: an idle one makes way, otherwise HTTP 503
    connection.py  uvicorn's protocol with a deadline for the headers, and plain refusals
    gate.py        admission: size of the headers, deadline and memory of the bodies
    lingering.py   closes so that the client still reads the answer that refused it
    answers.py     problem details of requests that never reach the app
    errors.py      errors of a request that is refused while it arrives
    following.py   a service that switches to a new bundle
    server.py      starts uvicorn with all that, and stops on SIGTERM
"""

__all__: list[str] = []
