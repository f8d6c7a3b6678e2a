"""HTTP: parse the request, ask a service, write the reply."""
