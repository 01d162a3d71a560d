"""Supervised actors and durable pipelines for Python, on asyncio and trio, with no server to run."""
