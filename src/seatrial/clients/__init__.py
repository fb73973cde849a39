"""Thin, typed clients of the systems that are judged; they know wire details and hold no opinion.

- ``kube.Kube`` the platform's API, ``kube_exec`` commands inside its pods
- ``openstack.OpenStack`` the cloud's own APIs, seen from outside
- ``galera``, ``rabbitmq`` the database's and the broker's own view, asked inside their pods
- ``looking.look`` turns one question into one Observation, whatever comes of it
- ``deployment.Deployment`` all of them for one target
"""
