Feature: The database outlives its members

  @requirement:DB-5 @disrupt @slow
  Rule: An acknowledged write survives the loss of any one member, and service goes on

    Scenario Outline: The active member of the database is <lost> while users work
      Given users keep creating projects
      And a ledger of everything that users and clients were promised
      When the active member of the database is <lost>
      Then the database is whole again within the repair budget
      And every acknowledged write is kept through an outage within the failover budget

      Examples: Ways to lose a member
        | lost                      |
        | deleted without a warning |
        | killed                    |
        | frozen                    |
