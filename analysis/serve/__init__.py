"""Requests of a sender's own code in, the gate's decisions as JSON out. START at ``endpoint``; the only user of Starlette and uvicorn."""
