Feature: Operators form one family

  @requirement:OPS-1 @observe
  Rule: One meta-operator manages one operator for each service

    Scenario: Every operator has its place below the meta-operator
      Given the services of the deployment
      And what the meta-operator says about its children
      Then every service has its operator and every operator its owner
