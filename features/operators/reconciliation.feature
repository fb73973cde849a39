Feature: Operators keep what they deployed as it was declared

  @requirement:OPS-2 @disrupt @slow
  Rule: Drift is corrected within the reconcile budget, and conditions tell the truth

    Scenario: Somebody changes what operators have deployed
      Given what every resource says about its instances
      When somebody deletes and changes objects behind the operators' backs
      Then every resource has had time to tell the truth
      And the operators have put everything right within the reconcile budget
