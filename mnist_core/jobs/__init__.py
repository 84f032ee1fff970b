"""From a request to a trained run: runners, the local service, its workers."""
