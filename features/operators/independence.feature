Feature: Services do not need their operators to serve

  @requirement:OPS-3 @disrupt @slow
  Rule: Services go on while operators are down

    Scenario Outline: Service goes on while all operators are <down>
      Given users keep creating projects
      And every path that users and clients take is being measured
      When all operators, the meta-operator included, are <down>
      Then the operators work again within the repair budget
      And no request was held up meanwhile

      Examples: Ways to be down
        | down   |
        | frozen |
        | killed |
