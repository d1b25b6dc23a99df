"""The HTTP side: routes, middleware, access, the OpenAPI document, the page."""
