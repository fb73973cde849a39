"""Target and subject in, Observations out: probes look once, report what they saw and when, and have no opinion.

A probe never raises for a deployment that does not answer; it returns an Observation with an error.
``inventory`` is a recent ``Inventory`` of ``seatrial.discovery.discover(deployment)``. All return tuples.

==========================================================  ============================  ==========================
call                                                        observations                  needs grant
==========================================================  ============================  ==========================
``census.watch(deployment, inventory, watch_s=60)``         one ``census``                observe (pods/exec)
``keystone.catalog(deployment)``                            one ``keystone.catalog``      observe
``keystone.answers(deployment, inventory)``                 ``keystone.answer`` for each  observe (pods/exec)
                                                            instance and Service without a
                                                            token and with a made-up one,
                                                            and each public endpoint
                                                            without one and with a valid one
``galera.status(deployment, inventory)``                    ``galera.status`` per member  observe (pods/exec)
``galera.sessions(deployment, inventory, watch_s=10)``      ``galera.sessions`` per       observe (pods/exec)
                                                            member
``galera.replication(deployment, inventory, schema=...,``   ``galera.replication`` per    mutate: ``schema`` exists
``cluster=...)``                                            member written on             already (``faults.SqlSchema``)
``rabbitmq.members(deployment, inventory)``                 ``rabbitmq.members`` per pod  observe (pods/exec)
``rabbitmq.queues(deployment, inventory)``                  ``rabbitmq.queues`` per       observe (pods/exec)
                                                            broker cluster
``resources.conditions(deployment, inventory)``             ``resource.conditions`` per   observe
                                                            custom resource with a
                                                            ``Ready`` condition
``resources.operators(deployment, inventory)``              ``resource.operators`` (the   observe
                                                            meta-operator's own counts,
                                                            and who owns each operator)
==========================================================  ============================  ==========================
"""
