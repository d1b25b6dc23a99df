"""``snapship serve``: protects the app from the network on a local machine.

In the cloud AWS's front end fends off slow, excessive and endless clients; here this package
does, around uvicorn::

    limits.py           the limits, checked; the address
    connection.py       uvicorn's protocol with a deadline for the headers; limits connections: an
                        idle one makes way for a new one, otherwise that gets HTTP 503
    admission.py        size of the headers, deadline and memory of the bodies; plain refusals
    lingering_close.py  closes so that the client still reads the answer that refused it
    bundle_reload.py    a service that switches to a new bundle
    server.py           starts uvicorn with all that, and stops on SIGTERM
    cli.py              the commands serve and keys
"""

__all__: list[str] = []
