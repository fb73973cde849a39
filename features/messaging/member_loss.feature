Feature: The broker outlives its members

  @requirement:MSG-2 @disrupt @slow
  Rule: A confirmed message survives the loss of any one member of the broker

    Scenario Outline: The member that leads a queue is <lost> while clients publish
      Given a ledger of every message that clients had confirmed
      And what the broker says about its queues and where they are kept
      When the member of the broker that leads the ledger's queue is <lost>
      Then the broker is whole again within the repair budget
      And every confirmed message is still delivered

      Examples: Ways to lose a member
        | lost                      |
        | deleted without a warning |
        | killed                    |
