Feature: The database is one cluster

  @requirement:DB-4 @mutate
  Rule: What is written on one member of the database is read on every other

    Scenario: Every member is written to and read from
      Given what the members of the database say about their cluster
      When a row is written on each member
      Then every member reads the rows of all others
