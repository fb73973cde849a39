"""Code that travels into a deployment: it measures paths every few milliseconds and keeps a ledger of writes.

It runs on whatever python3 (3.9 or later) an image of the deployment holds, so it is written for that one, and needs
nothing but the standard library, pymysql and amqp. It has no opinion: it sends what it saw, line by line.
"""
