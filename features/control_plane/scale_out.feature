Feature: Components run in several instances

  @requirement:SCALE-1 @mutate @slow
  Rule: Each component runs several instances, on several nodes, and all of them serve

    Scenario: The instances of every component share the work
      Given a control plane that users are working with
      And what every resource says about its instances
      And the connections of all its components have been watched
      Then every component serves from several nodes at once
