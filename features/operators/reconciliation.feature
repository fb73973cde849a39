Feature: Operators keep what they deployed as it was declared

  @requirement:OPS-2 @observe
  Rule: Conditions tell the truth

    Scenario: Every resource says how it is
      Given the services of the deployment
      Then every resource tells the truth, as soon as it had time to

  @requirement:OPS-2 @disrupt @slow
  Rule: Drift is corrected within the reconcile budget

    Scenario: Somebody changes what operators have deployed
      When somebody changes and deletes objects behind the operators' backs
      Then the operators have put everything right within the reconcile budget
