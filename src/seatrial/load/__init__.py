"""Load by Locust in a process of its own (it patches sockets and threads of the process it runs in).

``runner`` starts and stops it and hands its figures on; ``journal`` and ``login`` are what the load tests import.
"""
